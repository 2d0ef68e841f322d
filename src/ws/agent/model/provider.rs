//! Which model is asked, and where.
//!
//! **Invariant:** nothing outside this file knows one provider from another.

use std::time::Duration;

use rig_core::{
    DynModel,
    http_client::DynHttpClient,
    operation::Completion,
    providers::{anthropic::AnthropicConfig, gemini::GeminiConfig, ollama::OllamaConfig, openai::wire::OpenAIConfig},
};
use secrecy::{ExposeSecret, SecretString};

use super::transport::Transport;
use crate::integrations::http_client;

/// Who runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Google Gemini.
    Gemini,
    /// `OpenAI`, or a server that speaks its chat completions.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Ollama.
    Ollama,
}

impl Provider {
    /// Its name, as the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }
}

/// How a model is used.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Who runs it.
    pub provider: Provider,
    /// Its name there.
    pub model: String,
    /// Where; the provider's own address when absent.
    pub base_url: Option<String>,
    /// The key; some servers want none.
    pub api_key: Option<SecretString>,
    /// Whether answers are read as they are written.
    pub stream: bool,
    /// How long a whole turn may take.
    pub deadline: Duration,
    /// How long nothing may come.
    pub stall: Duration,
    /// The most tokens of one turn, those read and those written.
    pub tokens_per_message: u64,
}

/// A model to be called.
///
/// # Errors
/// When no client for HTTP can be made.
pub(super) fn connect(settings: &ModelSettings) -> Result<DynModel<Completion>, reqwest::Error> {
    let client = http_client::builder().timeout(settings.deadline).build()?;
    let http = DynHttpClient::new(Transport::new(client));
    let key = settings.api_key.as_ref().map_or("", |key| key.expose_secret()).to_owned();
    let (model, at) = (settings.model.clone(), settings.base_url.clone());
    Ok(match settings.provider {
        Provider::Gemini => {
            let mut config = GeminiConfig::new(key);
            config.base_url = at.unwrap_or(config.base_url);
            config.connect(http).completion(model).erase()
        }
        Provider::OpenAi => {
            let mut config = OpenAIConfig::new(key);
            config.base_url = at.unwrap_or(config.base_url);
            config.connect(http).chat(model).erase()
        }
        Provider::Anthropic => {
            let config = AnthropicConfig::new(key);
            let config = match at {
                Some(at) => config.with_base_url(at),
                None => config,
            };
            config.connect(http).completion(model).erase()
        }
        Provider::Ollama => {
            let mut config = OllamaConfig::new();
            config.api_key = key.into();
            let config = match at {
                Some(at) => config.with_base_url(at),
                None => config,
            };
            config.connect(http).completion(model).erase()
        }
    })
}
