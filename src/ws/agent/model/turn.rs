//! One turn with a model: request an answer, run the tools that it calls, and repeat until there is a reply.
//!
//! **Invariant:** a turn ends after a bounded number of rounds, tokens and time, with
//! at most one retry of a failed request. What was sent is not sent again.

use std::time::Duration;

use metrics::{counter, histogram};
use parking_lot::Mutex;
use rig_core::{
    completion::{CompletionRequest, Message},
    message::ToolChoice,
};
use tokio::time::Instant;

use super::{
    ModelAssistant,
    answer::{self, Answer, TimeLimits},
    calls::Calls,
    consent::Consent,
    failure::Failure,
    guard::Grounding,
    prompt,
    speech::Speech,
};
use crate::{
    domain::ids::ProductId,
    ws::agent::{ReplySink, Turn, TurnEvent, Usage, tools::ToolContext},
};

/// The maximum number of requests per turn; the last one is without tools, so that the model must answer.
const ROUNDS_MAX: u32 = 8;
/// After this many consecutive answers without a successful call the turn is stopped.
const FRUITLESS_MAX: u32 = 3;
/// The maximum number of tokens of one answer.
const ANSWER_TOKENS: u64 = 4_096;
/// How much longer than the model a running tool may take.
const TOOL_GRACE: Duration = Duration::from_secs(2);
/// The pause before a failed request is retried.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// Forwards the events of tools, and records those that the reply depends on.
pub(super) struct RecordingSink<'a> {
    sink: &'a dyn ReplySink,
    recorded: Mutex<Vec<TurnEvent>>,
}

impl<'a> RecordingSink<'a> {
    pub(super) fn new(sink: &'a dyn ReplySink) -> Self {
        Self { sink, recorded: Mutex::default() }
    }
}

impl ReplySink for RecordingSink<'_> {
    fn send(&self, event: TurnEvent) {
        if matches!(event, TurnEvent::Products(_) | TurnEvent::Cart(_)) {
            self.recorded.lock().push(event.clone());
        }
        self.sink.send(event);
    }
}

/// The progress of a turn.
pub(super) struct Progress<'a> {
    pub(super) speech: Speech<'a>,
    pub(super) calls: Calls,
    pub(super) usage: Usage,
    pub(super) products: Vec<ProductId>,
    retried: bool,
    recorder: &'a RecordingSink<'a>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(recorder: &'a RecordingSink<'a>, consent: Consent) -> Self {
        Self {
            speech: Speech::new(recorder.sink),
            calls: Calls::new(consent),
            usage: Usage::default(),
            products: vec![],
            retried: false,
            recorder,
        }
    }

    /// Whether text was sent or a tool was run, so that the fallback cannot start over.
    pub(super) fn began(&self) -> bool {
        self.speech.began() || self.calls.run > 0
    }

    /// Adds the recorded events of tools to the reply and the facts.
    fn catch_up(&mut self, grounding: &mut Grounding) {
        for event in self.recorder.recorded.lock().drain(..) {
            match event {
                TurnEvent::Products(products) => {
                    for product in products {
                        if !self.products.contains(&product.id) {
                            self.products.push(product.id);
                        }
                        grounding.learn(&serde_json::to_value(&product).unwrap_or_default());
                    }
                }
                TurnEvent::Cart(cart) => grounding.learn(&cart),
                TurnEvent::Delta(_) | TurnEvent::Status(_) => {}
            }
        }
    }
}

impl ModelAssistant {
    /// Runs the turn until the model has replied or failed.
    pub(super) async fn converse(&self, turn: &mut Turn<'_>, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let settings = &self.settings;
        let limits = TimeLimits { deadline: Instant::now() + settings.deadline, stall: settings.stall };
        let left = self.budget.left(turn.shopper.id).await;
        let allowed = settings.tokens_per_message.min(left);
        if left == 0 {
            return Err(Failure::OverBudget);
        }
        let mut grounding = Grounding::of(turn.history, turn.text, turn.known);
        let mut messages = prompt::conversation(turn);
        for round in 1..=ROUNDS_MAX {
            let spent = progress.usage.input_tokens + progress.usage.output_tokens;
            if spent >= allowed {
                return Err(if spent >= left { Failure::OverBudget } else { Failure::TooLong });
            }
            let last = round == ROUNDS_MAX;
            let answer = self.round(turn, &messages, last, limits, progress, &grounding).await?;
            if answer.calls.is_empty() {
                counter!("agent_rounds_total").increment(u64::from(round));
                progress.speech.note_omissions();
                return Ok(());
            }
            if last {
                break;
            }
            messages.extend(answer.message);
            let until = limits.deadline + TOOL_GRACE;
            let recorder = progress.recorder;
            let mut context = ToolContext { shopper: turn.shopper, known: turn.known, sink: recorder };
            let mut learn = |data: &serde_json::Value| grounding.learn(data);
            let calls = &mut progress.calls;
            let results = calls.run(&*self.tools, &answer.calls, &mut context, until, &mut learn).await;
            progress.catch_up(&mut grounding);
            messages.push(Message::tool_results(results));
            if progress.calls.fruitless >= FRUITLESS_MAX {
                break;
            }
        }
        counter!("agent_rounds_total").increment(u64::from(ROUNDS_MAX));
        Err(Failure::Loop)
    }

    /// Requests one answer, with a retry if that may help and no text was sent.
    async fn round(
        &self,
        turn: &Turn<'_>,
        messages: &[Message],
        last: bool,
        limits: TimeLimits,
        progress: &mut Progress<'_>,
        grounding: &Grounding,
    ) -> Result<Answer, Failure> {
        loop {
            let sent = progress.speech.text.len();
            let started = Instant::now();
            let speech = &mut progress.speech;
            let mut paragraph = false;
            let mut push = |piece: &str| {
                if !paragraph && !piece.trim().is_empty() {
                    speech.break_paragraph();
                    paragraph = true;
                }
                speech.push(piece, grounding);
            };
            let request = self.request(messages, last);
            let answer = answer::ask(&self.model, request, self.settings.stream, limits, &mut push).await;
            self.account(turn, messages, &answer, progress).await;
            let outcome = answer.outcome.map_or("ok", Failure::kind);
            histogram!("agent_model_seconds", "outcome" => outcome).record(started.elapsed().as_secs_f64());
            match answer.outcome {
                None => {
                    if answer.cut && answer.calls.is_empty() {
                        // The incomplete sentence at the end is dropped.
                        progress.speech.drop_pending();
                        if progress.speech.text.len() == sent {
                            return Err(Failure::CutShort);
                        }
                    } else {
                        progress.speech.pause(grounding);
                    }
                    return Ok(answer);
                }
                Some(failure) => {
                    progress.speech.drop_pending();
                    let nothing_sent = progress.speech.text.trim_end().len() <= sent;
                    let time = Instant::now() + RETRY_PAUSE < limits.deadline;
                    if !(failure.may_pass() && nothing_sent && time && !progress.retried) {
                        return Err(failure);
                    }
                    progress.retried = true;
                    counter!("agent_retries_total", "failure" => failure.kind()).increment(1);
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    fn request(&self, messages: &[Message], last: bool) -> CompletionRequest {
        let mut request = CompletionRequest::new(prompt::rules())
            .messages(messages.iter().cloned())
            .max_tokens(ANSWER_TOKENS)
            .tools(prompt::tools(self.tools.specs()));
        if last {
            request = request.tool_choice(ToolChoice::None);
        }
        request
    }

    /// Counts the tokens of an answer.
    async fn account(&self, turn: &Turn<'_>, messages: &[Message], answer: &Answer, progress: &mut Progress<'_>) {
        let (input, output) = match (answer.tokens, answer.outcome) {
            (Some(tokens), _) => tokens,
            (None, None) => {
                let said = answer.message.as_ref().map_or(0, |message| prompt::estimate(std::slice::from_ref(message)));
                (prompt::estimate(messages), said)
            }
            (None, Some(_)) => (0, 0),
        };
        progress.usage.input_tokens += input;
        progress.usage.output_tokens += output;
        counter!("agent_tokens_total", "direction" => "in").increment(input);
        counter!("agent_tokens_total", "direction" => "out").increment(output);
        if input + output > 0 {
            self.budget.spend(turn.shopper.id, input + output).await;
        }
    }
}
