//! The assistant that a language model speaks for.
//!
//! The model is asked by rig-core, whoever runs it ([`provider`]); the loop around it is here
//! (`turn`). It acts on the shop by the same tools as the assistant without a model, which
//! answers instead whenever the model cannot: it is away, stalls, or the shopper's tokens are
//! used up. A model that failed is asked again at the next message.
//!
//! **Invariant:** a turn ends within its deadline in a reply, and no sentence is told that names
//! a price, stock, an id or a link which no tool of this conversation returned.

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
    turn::{Progress, Watch},
};
use super::{Assistant, Budget, Reply, Toolbox, Turn};
use crate::config::{Config, ConfigError};

/// There is no way to call a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system gives no client for HTTP.
    #[error("the language model cannot be called: {0}")]
    Client(#[from] reqwest::Error),
}

/// Answers by a language model.
pub struct ModelAssistant {
    settings: ModelSettings,
    model: DynModel<Completion>,
    tools: Arc<dyn Tools>,
    budget: Arc<dyn Budget>,
    fallback: Arc<dyn Assistant>,
}

/// The assistant that `config` asks for, if it asks for a model; `fallback` answers where the
/// model does not.
///
/// # Errors
/// When the configuration is wrong, or there is no way to call a model.
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
    /// One that asks as `settings` say.
    ///
    /// # Errors
    /// When there is no way to call a model.
    pub fn try_new(
        settings: ModelSettings,
        tools: Arc<dyn Tools>,
        budget: Arc<dyn Budget>,
        fallback: Arc<dyn Assistant>,
    ) -> Result<Self, ModelError> {
        let model = provider::connect(&settings)?;
        Ok(Self { settings, model, tools, budget, fallback })
    }

    /// What is told, or who answers instead, when the model got no further.
    async fn make_good(&self, failure: Failure, turn: &mut Turn<'_>, progress: &mut Progress<'_>) {
        counter!("agent_failures_total", "kind" => failure.kind()).increment(1);
        let provider = self.settings.provider.name();
        tracing::warn!(failure = failure.kind(), provider, "a turn with the language model failed");
        let began = progress.began();
        if began || !failure.falls_back() {
            progress.speech.add(failure.words(began));
            return;
        }
        counter!("agent_fallbacks_total", "kind" => failure.kind()).increment(1);
        let Turn { shopper, text, history, audience, .. } = *turn;
        let instead = Turn { shopper, text, history, known: turn.known, audience };
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
        let watch = Watch::new(turn.audience);
        let mut progress = Progress::new(&watch, Consent::of(turn.history, turn.text));
        if let Err(failure) = self.converse(&mut turn, &mut progress).await {
            self.make_good(failure, &mut turn, &mut progress).await;
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
