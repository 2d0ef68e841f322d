//! One answer of a model, read as it is written.
//!
//! **Invariant:** it is waited for neither longer than the deadline nor, while nothing comes,
//! longer than a stall may take.

use std::time::Duration;

use futures_util::StreamExt;
use rig_core::{
    DynModel,
    completion::{CompletionRequest, CompletionResponse, Message},
    error::ProviderError,
    message::ToolCall,
    operation::Completion,
    streaming::{Item, StreamEvent},
};
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;

/// Until when an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) deadline: Instant,
    pub(super) stall: Duration,
}

impl Patience {
    /// Until when the next piece is waited for, and what it means if none comes.
    fn next(&self) -> (Instant, Failure) {
        let stalled = Instant::now() + self.stall;
        if stalled < self.deadline { (stalled, Failure::Stalled) } else { (self.deadline, Failure::TimeUp) }
    }
}

/// What a model answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// It as a line of the conversation, for the next request.
    pub(super) message: Option<Message>,
    /// The tools that it wants called.
    pub(super) calls: Vec<ToolCall>,
    /// Whether it stopped for its length.
    pub(super) cut: bool,
    /// Tokens read and written, if that was said.
    pub(super) tokens: Option<(u64, u64)>,
    /// Whether it is one.
    pub(super) outcome: Option<Failure>,
}

/// Asks; each piece of text goes to `told`.
pub(super) async fn ask(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    stream: bool,
    patience: Patience,
    told: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    if stream { streamed(model, request, patience, told).await } else { whole(model, request, patience, told).await }
}

async fn whole(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    patience: Patience,
    told: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    let (until, late) = patience.next();
    match timeout_at(until, model.call(request)).await {
        Ok(Ok(response)) => {
            told(&response.text());
            finished(&response)
        }
        Ok(Err(error)) => failed(&error),
        Err(_) => Answer { outcome: Some(late), ..Answer::default() },
    }
}

async fn streamed(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    patience: Patience,
    told: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    let mut events = match model.stream(request) {
        Ok(events) => events,
        Err(error) => return failed(&error),
    };
    loop {
        let (until, late) = patience.next();
        let outcome = match timeout_at(until, events.next()).await {
            Ok(Some(Ok(Item::Event(StreamEvent::Text { text, .. })))) => {
                told(&text);
                continue;
            }
            Ok(Some(Ok(_))) => continue,
            Ok(None) => break,
            Ok(Some(Err(error))) => failure(&error),
            Err(_) => late,
        };
        return Answer { outcome: Some(outcome), tokens: tokens(&events.partial()), ..Answer::default() };
    }
    match events.finish().await {
        Ok(response) => finished(&response),
        Err(error) => failed(&error),
    }
}

fn finished(response: &CompletionResponse) -> Answer {
    use rig_core::completion::FinishReason;
    let reason = response.finish_reason();
    let calls: Vec<ToolCall> = response.tool_calls().cloned().collect();
    let empty = calls.is_empty() && response.text().trim().is_empty();
    let cut = reason == Some(FinishReason::Length);
    Answer {
        message: response.message(),
        outcome: Failure::of_finish(reason.as_ref()).or_else(|| empty.then_some(Failure::Nonsense)),
        tokens: tokens(response),
        cut,
        calls,
    }
}

fn tokens(response: &CompletionResponse) -> Option<(u64, u64)> {
    let usage = response.usage;
    usage.is_reported().then(|| (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0)))
}

fn failed(error: &ProviderError) -> Answer {
    Answer { outcome: Some(failure(error)), ..Answer::default() }
}

fn failure(error: &ProviderError) -> Failure {
    let status = error.provider_response().and_then(|response| response.status).map(|status| status.as_u16());
    // Not the error itself: it repeats what the other side wrote.
    let failure = Failure::of(error);
    tracing::debug!(failure = failure.kind(), status, "a model did not answer");
    failure
}
