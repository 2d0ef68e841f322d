//! The assistant without a model: it reads a message by rules and acts by the tools.
//!
//! A message is read into an `Intent`, alone from its words. What would change the cart is done
//! only where the message is an instruction (`instruction`), and otherwise offered or left.
//! It is done by tools, and what they answered is told in a few sentences. What stays between messages is the conversation
//! itself: what was asked back is read from its last line.
//!
//! **Invariant:** titles and descriptions are told, never read as a wish; every product, price,
//! stock and order in a reply comes from a tool's answer.

mod act;
mod asks;
mod cart;
mod compare;
mod finding;
mod follow;
mod goods;
mod intent;
mod numbers;
mod offer;
mod orders;
mod pick;
mod price;
mod quantity;
mod refer;
mod small_talk;
mod speech;
mod summary;
#[cfg(test)]
mod tests;
mod tokens;
mod topics;
mod vocabulary;
mod wishes;

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use self::{act::Act, speech::Spoken};
use super::{Assistant, Reply, Told, Toolbox, Turn, Usage};

/// How long a turn may take.
const TURN_WITHIN: Duration = Duration::from_secs(25);

/// Answers by rules.
#[derive(Clone)]
pub struct RuleAssistant {
    tools: Toolbox,
}

impl RuleAssistant {
    /// With these tools.
    #[must_use]
    pub const fn new(tools: Toolbox) -> Self {
        Self { tools }
    }
}

#[async_trait]
impl Assistant for RuleAssistant {
    async fn answer(&self, turn: Turn<'_>) -> Reply {
        let audience = turn.audience;
        let mut act = Act::new(&self.tools, turn);
        let spoken = match timeout(TURN_WITHIN, act.answer()).await {
            Ok(spoken) => spoken,
            Err(_) => Spoken::of("The shop is taking too long to answer. Please try again in a moment."),
        };
        for piece in speech::pieces(&spoken.text) {
            audience.tell(Told::Delta(piece.to_owned()));
        }
        Reply {
            text: spoken.text,
            products: spoken.products,
            usage: Usage { tool_calls: act.calls, ..Usage::default() },
        }
    }
}
