//! Selects the provider of the model.
//!
//! **Invariant:** nothing outside this file depends on a particular provider.

use rig_core::{
    DynModel,
    http_client::DynHttpClient,
    operation::Completion,
    providers::{anthropic::AnthropicConfig, gemini::GeminiConfig, ollama::OllamaConfig, openai::wire::OpenAIConfig},
};
use secrecy::ExposeSecret;

use super::transport::Transport;
pub use crate::config::{ModelSettings, Provider};
use crate::runtime::http_client;

/// Creates a client for the model.
///
/// # Errors
/// When the HTTP client cannot be created.
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
