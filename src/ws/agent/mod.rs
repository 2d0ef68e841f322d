//! The shopping assistant: its interface, its tools, and its implementations.
//!
//! An [`Assistant`] answers one [`Turn`]. It acts on the shop only through the [`Toolbox`], whose
//! executor enforces all restrictions: a model, the rules without a model and external agents all use
//! it with the rights of the user.
//!
//! **Invariant:** this module neither places orders nor moves money, and a reply contains no product, price or stock
//! that a tool did not return.

mod instruction;
pub mod model;
pub mod rules;
#[cfg(test)]
mod testing;
pub mod tools;

use async_trait::async_trait;
use serde_json::Value as Json;

pub use self::{rules::RuleAssistant, tools::Toolbox};

use crate::{
    domain::{
        conversation::{KnownProducts, Line},
        ids::{ProductId, UserId},
        user::Role,
    },
    views::product::ProductView,
};

/// The user whom the assistant serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shopper {
    pub id: UserId,
    pub role: Role,
}

/// An event of a turn before its end.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEvent {
    /// A piece of the reply.
    Delta(String),
    /// What the assistant is doing, as a text for people.
    Status(&'static str),
    /// The products that the reply mentions.
    Products(Vec<ProductView>),
    /// The cart after a change, including its `totals`.
    Cart(Json),
}

/// Receives the events of a turn.
pub trait ReplySink: Send + Sync {
    /// Sends an event; must not block.
    fn send(&self, event: TurnEvent);
}

/// Discards all events.
impl ReplySink for () {
    fn send(&self, _: TurnEvent) {}
}

/// One message of a user, with its context.
pub struct Turn<'a> {
    pub shopper: Shopper,
    /// The message, trimmed and not empty.
    pub text: &'a str,
    /// The earlier lines, oldest first.
    pub history: &'a [Line],
    /// What tools have returned in this conversation; each call adds to it.
    pub known: &'a mut KnownProducts,
    pub sink: &'a dyn ReplySink,
}

/// The resources that a turn used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that a model read.
    pub input_tokens: u64,
    /// Tokens that a model wrote.
    pub output_tokens: u64,
    /// Tools that were called.
    pub tool_calls: u32,
}

/// The reply of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The complete text; the concatenation of the deltas.
    pub text: String,
    /// The products that it mentions, in the order of display.
    pub products: Vec<ProductId>,
    pub usage: Usage,
}

/// Answers the messages of users.
#[async_trait]
pub trait Assistant: Send + Sync + 'static {
    /// Answers one message. It always returns a reply: a failure is explained politely, and the
    /// chat continues.
    async fn answer(&self, turn: Turn<'_>) -> Reply;
}

/// The daily token budget of a user for language models.
#[async_trait]
pub trait Budget: Send + Sync + 'static {
    /// The tokens that `user` has left today.
    async fn left(&self, user: UserId) -> u64;
    /// Counts used tokens.
    async fn spend(&self, user: UserId, tokens: u64);
}
