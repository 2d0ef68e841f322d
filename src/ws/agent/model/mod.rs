//! The assistant with a language model.
//!
//! The model is called through rig-core, whichever provider runs it ([`provider`]); the loop around it is in
//! `turn`. It acts on the shop with the same tools as the assistant without a model, which
//! answers instead when the model cannot: when it is unavailable, stalls, or the user's tokens are
//! used up. A model that failed is used again for the next message.
//!
//! **Invariant:** a turn ends with a reply within its deadline, and no sentence is sent that contains
//! a price, stock, an id or a link that no tool of this conversation returned.

mod answer;
mod calls;
mod consent;
mod failure;
mod guard;
mod prompt;
pub mod provider;
mod speech;
mod transport;
mod turn;

use std::sync::Arc;

use async_trait::async_trait;
use metrics::counter;
use rig_core::{DynModel, operation::Completion};

pub use self::{
    calls::Tools,
    provider::{ModelSettings, Provider},
};
use self::{
    consent::Consent,
    failure::Failure,
    turn::{Progress, RecordingSink},
};
use super::{Assistant, Budget, Reply, Toolbox, Turn};
use crate::config::{Config, ConfigError};

/// Why the model cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client cannot be created.
    #[error("the language model cannot be called: {0}")]
    Client(#[from] reqwest::Error),
}

/// An assistant that uses a language model.
pub struct ModelAssistant {
    settings: ModelSettings,
    model: DynModel<Completion>,
    tools: Arc<dyn Tools>,
    budget: Arc<dyn Budget>,
    fallback: Arc<dyn Assistant>,
}

/// The assistant with the configured model, if any; `fallback` answers when the
/// model does not.
///
/// # Errors
/// When the configuration is invalid, or the HTTP client cannot be created.
pub fn from_config(
    config: &Config,
    toolbox: Toolbox,
    budget: Arc<dyn Budget>,
    fallback: Arc<dyn Assistant>,
) -> Result<Option<Arc<dyn Assistant>>, ModelError> {
    let Some(settings) = config.language_model()? else { return Ok(None) };
    let assistant = ModelAssistant::try_new(settings, Arc::new(toolbox), budget, fallback)?;
    Ok(Some(Arc::new(assistant)))
}

impl ModelAssistant {
    /// An assistant with these settings.
    ///
    /// # Errors
    /// When the model cannot be set up.
    pub fn try_new(
        settings: ModelSettings,
        tools: Arc<dyn Tools>,
        budget: Arc<dyn Budget>,
        fallback: Arc<dyn Assistant>,
    ) -> Result<Self, ModelError> {
        let model = provider::connect(&settings)?;
        Ok(Self { settings, model, tools, budget, fallback })
    }

    /// Completes the reply after a failure of the model, or lets the fallback answer.
    async fn recover(&self, failure: Failure, turn: &mut Turn<'_>, progress: &mut Progress<'_>) {
        counter!("agent_failures_total", "kind" => failure.kind()).increment(1);
        let provider = self.settings.provider.name();
        tracing::warn!(failure = failure.kind(), provider, "a turn with the language model failed");
        let began = progress.began();
        if began || !failure.falls_back() {
            progress.speech.add(failure.words(began));
            return;
        }
        counter!("agent_fallbacks_total", "kind" => failure.kind()).increment(1);
        let Turn { shopper, text, history, sink, .. } = *turn;
        let instead = Turn { shopper, text, history, known: turn.known, sink };
        let reply = self.fallback.answer(instead).await;
        if reply.text.is_empty() {
            return progress.speech.add(failure.words(false));
        }
        progress.speech.text = reply.text;
        progress.products = reply.products;
        progress.usage.input_tokens += reply.usage.input_tokens;
        progress.usage.output_tokens += reply.usage.output_tokens;
        progress.calls.run += reply.usage.tool_calls;
    }
}

#[async_trait]
impl Assistant for ModelAssistant {
    async fn answer(&self, mut turn: Turn<'_>) -> Reply {
        let recorder = RecordingSink::new(turn.sink);
        let mut progress = Progress::new(&recorder, Consent::of(turn.history, turn.text));
        if let Err(failure) = self.converse(&mut turn, &mut progress).await {
            self.recover(failure, &mut turn, &mut progress).await;
        }
        let Progress { speech, calls, mut usage, products, .. } = progress;
        usage.tool_calls = calls.run;
        tracing::debug!(
            tool_calls = calls.run,
            tokens.input = usage.input_tokens,
            tokens.output = usage.output_tokens,
            withheld = speech.withheld,
            "a turn with the language model ended"
        );
        Reply { text: speech.text, products, usage }
    }
}
