//! The assistant without a model: it interprets messages by rules and acts with the tools.
//!
//! A message is mapped to an `Intent` by its words alone. Changes to the cart are made
//! only if the message is an instruction (`instruction`); otherwise they are offered or not made.
//! Tools do the work, and their results are reported in a few sentences. The only state between messages is the
//! conversation itself: the assistant's question is read from its last line.
//!
//! **Invariant:** titles and descriptions are quoted, never interpreted; every product, price,
//! stock and order in a reply comes from a tool's result.

mod cart;
mod compare;
mod followup;
mod intent;
mod numbers;
mod offer;
mod order_intent;
mod orders;
mod price;
mod quantity;
mod reference;
mod resolution;
mod search;
mod search_intent;
mod small_talk;
mod speech;
mod summary;
#[cfg(test)]
mod tests;
mod tokens;
mod tool_results;
mod topics;
mod turn;
mod vocabulary;

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use self::{speech::RuleReply, turn::RuleTurn};
use super::{Assistant, Reply, Toolbox, Turn, TurnEvent, Usage};

/// Time limit for a turn.
const TURN_WITHIN: Duration = Duration::from_secs(25);

/// An assistant that works by rules.
#[derive(Clone)]
pub struct RuleAssistant {
    tools: Toolbox,
}

impl RuleAssistant {
    #[must_use]
    pub const fn new(tools: Toolbox) -> Self {
        Self { tools }
    }
}

#[async_trait]
impl Assistant for RuleAssistant {
    async fn answer(&self, turn: Turn<'_>) -> Reply {
        let sink = turn.sink;
        let mut turn = RuleTurn::new(&self.tools, turn);
        let reply = match timeout(TURN_WITHIN, turn.answer()).await {
            Ok(reply) => reply,
            Err(_) => RuleReply::of("The shop is taking too long to answer. Please try again in a moment."),
        };
        for piece in speech::pieces(&reply.text) {
            sink.send(TurnEvent::Delta(piece.to_owned()));
        }
        Reply {
            text: reply.text,
            products: reply.products,
            usage: Usage { tool_calls: turn.calls, ..Usage::default() },
        }
    }
}
