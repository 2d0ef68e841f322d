//! Runs the tool calls that a model requests, and detects calls that make no progress.
//!
//! **Invariant:** the same change is made once per turn, however often a model requests it.

use std::collections::HashSet;

use async_trait::async_trait;
use metrics::counter;
use rig_core::message::{ToolCall, ToolResult};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::{consent::Consent, prompt};
use crate::ws::agent::{
    Toolbox,
    tools::{ToolContext, ToolRefusal, ToolSpec},
};

/// The maximum number of tool calls in one answer.
const CALLS_MAX: usize = 8;
/// The maximum length of a tool's name in a refusal.
const NAME_MAX: usize = 64;

/// The tools and their executor.
#[async_trait]
pub trait Tools: Send + Sync + 'static {
    /// The available tools.
    fn specs(&self) -> &[ToolSpec];
    /// Runs a tool.
    ///
    /// # Errors
    /// [`ToolRefusal`]; the turn continues with it.
    async fn call(&self, name: &str, arguments: Json, context: ToolContext<'_>) -> Result<Json, ToolRefusal>;
}

#[async_trait]
impl Tools for Toolbox {
    fn specs(&self) -> &[ToolSpec] {
        Toolbox::specs(self)
    }

    async fn call(&self, name: &str, arguments: Json, context: ToolContext<'_>) -> Result<Json, ToolRefusal> {
        Toolbox::call(self, name, arguments, context).await
    }
}

/// The calls of a turn.
pub(super) struct Calls {
    consent: Consent,
    /// The reads since the last change, and the changes of the whole turn.
    read: HashSet<String>,
    changed: HashSet<String>,
    /// The number of tools that were run.
    pub(super) run: u32,
    /// The number of consecutive answers without a successful call.
    pub(super) fruitless: u32,
}

impl Calls {
    pub(super) fn new(consent: Consent) -> Self {
        let (read, changed) = (HashSet::new(), HashSet::new());
        Self { consent, read, changed, run: 0, fruitless: 0 }
    }

    /// Runs the calls of one answer in order; the results go back to the model.
    /// `learn` is called with the data that tools returned.
    pub(super) async fn run(
        &mut self,
        tools: &dyn Tools,
        calls: &[ToolCall],
        context: &mut ToolContext<'_>,
        until: Instant,
        learn: &mut (dyn FnMut(&Json) + Send),
    ) -> Vec<ToolResult> {
        let (mut results, mut fruits) = (vec![], 0_u32);
        for (place, call) in calls.iter().enumerate() {
            let answer = match place < CALLS_MAX {
                true => self.one(tools, call, context, until).await,
                false => Err(refusal("tool.too_many", "too many calls at once; call the rest in the next step")),
            };
            if let Ok(data) = &answer {
                learn(data);
                fruits += 1;
            }
            results.push(prompt::result(call, &answer));
        }
        self.fruitless = if fruits == 0 { self.fruitless + 1 } else { 0 };
        results
    }

    async fn one(
        &mut self,
        tools: &dyn Tools,
        call: &ToolCall,
        context: &mut ToolContext<'_>,
        until: Instant,
    ) -> Result<Json, ToolRefusal> {
        let name = call.function.name.as_str();
        let Some(spec) = tools.specs().iter().find(|spec| spec.name == name) else {
            let shown: String = name.chars().take(NAME_MAX).collect();
            return Err(refusal("tool.unknown", &format!("there is no tool {shown}")));
        };
        if call.function.invalid_arguments.is_some() {
            return Err(refusal("tool.bad_arguments", "the arguments are not a JSON object"));
        }
        let arguments = call.function.arguments_value();
        let leads_on = name == "prepare_checkout" && self.consent.negates();
        if !spec.reads_only || leads_on {
            self.consents(name, &arguments)?;
        }
        let same = format!("{name} {arguments}");
        let seen = if spec.reads_only { &mut self.read } else { &mut self.changed };
        if !seen.insert(same) {
            let message = "this was called already in this turn with the same arguments; go on with that answer";
            return Err(refusal("tool.repeated", message));
        }
        self.run += 1;
        let context = ToolContext { shopper: context.shopper, known: context.known, sink: context.sink };
        let answer = match timeout_at(until, tools.call(name, arguments, context)).await {
            Ok(answer) => answer,
            Err(_) => Err(refusal("tool.late", "the shop took too long; look whether it was done")),
        };
        if !spec.reads_only && answer.is_ok() {
            // The results of earlier reads may be outdated.
            self.read.clear();
        }
        answer
    }

    fn consents(&self, tool: &str, arguments: &Json) -> Result<(), ToolRefusal> {
        let problem = match (self.consent.allows(tool), self.consent.named(arguments)) {
            (true, true) => return Ok(()),
            (false, _) => "the user did not ask for this change in their message; ask them first",
            (true, false) => "the user did not name this quantity; ask them how many, or take one",
        };
        counter!("agent_not_asked_total").increment(1);
        Err(refusal("tool.not_asked", problem))
    }
}

fn refusal(code: &'static str, message: &str) -> ToolRefusal {
    ToolRefusal { code, message: message.to_owned() }
}
