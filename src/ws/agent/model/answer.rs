//! Requests one answer of a model and reads it as a stream.
//!
//! **Invariant:** the wait ends at the deadline, or when no data arrives for the
//! stall time.

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

/// The time limits of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    pub(super) deadline: Instant,
    pub(super) stall: Duration,
}

impl TimeLimits {
    /// The deadline for the next piece, and the failure if none arrives.
    fn next(&self) -> (Instant, Failure) {
        let stalled = Instant::now() + self.stall;
        if stalled < self.deadline { (stalled, Failure::Stalled) } else { (self.deadline, Failure::TimeUp) }
    }
}

/// An answer of a model.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The answer as a message for the next request.
    pub(super) message: Option<Message>,
    /// The tool calls that it requests.
    pub(super) calls: Vec<ToolCall>,
    /// Whether it was cut off at the maximum length.
    pub(super) cut: bool,
    /// The input and output tokens, if the provider reports them.
    pub(super) tokens: Option<(u64, u64)>,
    /// The failure, if it is not a valid answer.
    pub(super) outcome: Option<Failure>,
}

/// Sends a request; each piece of text is passed to `on_text`.
pub(super) async fn ask(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    stream: bool,
    limits: TimeLimits,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    if stream { streamed(model, request, limits, on_text).await } else { whole(model, request, limits, on_text).await }
}

async fn whole(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    limits: TimeLimits,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    let (until, late) = limits.next();
    match timeout_at(until, model.call(request)).await {
        Ok(Ok(response)) => {
            on_text(&response.text());
            finished(&response)
        }
        Ok(Err(error)) => failed(&error),
        Err(_) => Answer { outcome: Some(late), ..Answer::default() },
    }
}

async fn streamed(
    model: &DynModel<Completion>,
    request: CompletionRequest,
    limits: TimeLimits,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Answer {
    let mut events = match model.stream(request) {
        Ok(events) => events,
        Err(error) => return failed(&error),
    };
    loop {
        let (until, late) = limits.next();
        let outcome = match timeout_at(until, events.next()).await {
            Ok(Some(Ok(Item::Event(StreamEvent::Text { text, .. })))) => {
                on_text(&text);
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
    // The error itself is not logged, because it contains text of the provider.
    let failure = Failure::of(error);
    tracing::debug!(failure = failure.kind(), status, "a model did not answer");
    failure
}
