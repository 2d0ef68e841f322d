//! One turn with a model: ask, call the tools that it wants, ask again, until it has answered.
//!
//! **Invariant:** a turn ends: after so many rounds, so many tokens or so much time, and after
//! one try more at most when the model fails. What was told is never told again.

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
    answer::{self, Answer, Patience},
    calls::Calls,
    consent::Consent,
    failure::Failure,
    guard::Facts,
    prompt,
    speech::Speech,
};
use crate::{
    domain::ids::ProductId,
    ws::agent::{Audience, Told, Turn, Usage, tools::ToolContext},
};

/// How often a model is asked in a turn; the last time without tools, so that it must answer.
const ROUNDS_MAX: u32 = 8;
/// Answers in a row whose calls all came to nothing, after which it has lost its way.
const FRUITLESS_MAX: u32 = 3;
/// The most tokens that one answer may have.
const ANSWER_TOKENS: u64 = 4_096;
/// How much longer than the model a tool that runs may take.
const TOOL_GRACE: Duration = Duration::from_secs(2);
/// How long a model that failed is left alone.
const BREATHER: Duration = Duration::from_millis(300);

/// Passes on what tools tell, and keeps what the reply has to know of it.
pub(super) struct Watch<'a> {
    audience: &'a dyn Audience,
    seen: Mutex<Vec<Told>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(audience: &'a dyn Audience) -> Self {
        Self { audience, seen: Mutex::default() }
    }
}

impl Audience for Watch<'_> {
    fn tell(&self, told: Told) {
        if matches!(told, Told::Products(_) | Told::Cart(_)) {
            self.seen.lock().push(told.clone());
        }
        self.audience.tell(told);
    }
}

/// How far a turn has come.
pub(super) struct Progress<'a> {
    pub(super) speech: Speech<'a>,
    pub(super) calls: Calls,
    pub(super) usage: Usage,
    pub(super) products: Vec<ProductId>,
    retried: bool,
    watch: &'a Watch<'a>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(watch: &'a Watch<'a>, consent: Consent) -> Self {
        Self {
            speech: Speech::new(watch.audience),
            calls: Calls::new(consent),
            usage: Usage::default(),
            products: vec![],
            retried: false,
            watch,
        }
    }

    /// Whether something was told or done that an answer must not ignore.
    pub(super) fn began(&self) -> bool {
        self.speech.began() || self.calls.run > 0
    }

    /// Takes in what tools showed the shopper.
    fn catch_up(&mut self, facts: &mut Facts) {
        for told in self.watch.seen.lock().drain(..) {
            match told {
                Told::Products(products) => {
                    for product in products {
                        if !self.products.contains(&product.id) {
                            self.products.push(product.id);
                        }
                        facts.learn(&serde_json::to_value(&product).unwrap_or_default());
                    }
                }
                Told::Cart(cart) => facts.learn(&cart),
                Told::Delta(_) | Told::Status(_) => {}
            }
        }
    }
}

impl ModelAssistant {
    /// Goes through the turn as far as the model gets.
    pub(super) async fn converse(&self, turn: &mut Turn<'_>, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let settings = &self.settings;
        let patience = Patience { deadline: Instant::now() + settings.deadline, stall: settings.stall };
        let left = self.budget.left(turn.shopper.id).await;
        let allowed = settings.tokens_per_message.min(left);
        if left == 0 {
            return Err(Failure::OverBudget);
        }
        let mut facts = Facts::of(turn.history, turn.text, turn.known);
        let mut messages = prompt::conversation(turn);
        for round in 1..=ROUNDS_MAX {
            let spent = progress.usage.input_tokens + progress.usage.output_tokens;
            if spent >= allowed {
                return Err(if spent >= left { Failure::OverBudget } else { Failure::TooLong });
            }
            let last = round == ROUNDS_MAX;
            let answer = self.round(turn, &messages, last, patience, progress, &facts).await?;
            if answer.calls.is_empty() {
                counter!("agent_rounds_total").increment(u64::from(round));
                progress.speech.own_up();
                return Ok(());
            }
            if last {
                break;
            }
            messages.extend(answer.message);
            let until = patience.deadline + TOOL_GRACE;
            let watch = progress.watch;
            let mut context = ToolContext { shopper: turn.shopper, known: turn.known, audience: watch };
            let mut learn = |data: &serde_json::Value| facts.learn(data);
            let calls = &mut progress.calls;
            let results = calls.run(&*self.tools, &answer.calls, &mut context, until, &mut learn).await;
            progress.catch_up(&mut facts);
            messages.push(Message::tool_results(results));
            if progress.calls.fruitless >= FRUITLESS_MAX {
                break;
            }
        }
        counter!("agent_rounds_total").increment(u64::from(ROUNDS_MAX));
        Err(Failure::Loop)
    }

    /// One answer, asked for once more where that may help and nothing of it was told.
    async fn round(
        &self,
        turn: &Turn<'_>,
        messages: &[Message],
        last: bool,
        patience: Patience,
        progress: &mut Progress<'_>,
        facts: &Facts,
    ) -> Result<Answer, Failure> {
        loop {
            let told = progress.speech.text.len();
            let started = Instant::now();
            let speech = &mut progress.speech;
            let mut paragraph = false;
            let mut hear = |piece: &str| {
                if !paragraph && !piece.trim().is_empty() {
                    speech.break_paragraph();
                    paragraph = true;
                }
                speech.hear(piece, facts);
            };
            let request = self.request(messages, last);
            let answer = answer::ask(&self.model, request, self.settings.stream, patience, &mut hear).await;
            self.account(turn, messages, &answer, progress).await;
            let outcome = answer.outcome.map_or("ok", Failure::kind);
            histogram!("agent_model_seconds", "outcome" => outcome).record(started.elapsed().as_secs_f64());
            match answer.outcome {
                None => {
                    if answer.cut && answer.calls.is_empty() {
                        // The sentence that was cut off tells nothing.
                        progress.speech.drop_pending();
                        if progress.speech.text.len() == told {
                            return Err(Failure::CutShort);
                        }
                    } else {
                        progress.speech.pause(facts);
                    }
                    return Ok(answer);
                }
                Some(failure) => {
                    progress.speech.drop_pending();
                    let untold = progress.speech.text.trim_end().len() <= told;
                    let time = Instant::now() + BREATHER < patience.deadline;
                    if !(failure.may_pass() && untold && time && !progress.retried) {
                        return Err(failure);
                    }
                    progress.retried = true;
                    counter!("agent_retries_total", "failure" => failure.kind()).increment(1);
                    tokio::time::sleep(BREATHER).await;
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

    /// Counts the tokens that an answer took.
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
