//! The shopping assistant: what it may be asked, what it may do, who speaks for it.
//!
//! An [`Assistant`] answers one [`Turn`]. It acts on the shop by the [`Toolbox`] alone, whose
//! executor holds every guard rail: a model, the rules without a model and outside agents all go
//! through it, as the shopper who asks and with her rights.
//!
//! **Invariant:** nothing here places an order or moves money, and no product, price or stock is
//! told that a tool did not return.

mod instruction;
pub mod model;
pub mod rules;
#[cfg(test)]
mod testing;
pub mod tools;

use async_trait::async_trait;
use serde_json::Value as Json;

pub use self::{rules::RuleAssistant, tools::Toolbox};
pub use crate::actors::checkout_link::CheckoutLink;

use crate::{
    domain::{
        conversation::{Known, Line},
        ids::{ProductId, UserId},
        user::Role,
    },
    views::product::ProductView,
};

/// Whom the assistant serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shopper {
    /// Who.
    pub id: UserId,
    /// What she may do.
    pub role: Role,
}

/// What a shopper sees of a turn before its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A piece of the reply.
    Delta(String),
    /// What is being done, in words for people.
    Status(&'static str),
    /// Products that the reply speaks of.
    Products(Vec<ProductView>),
    /// The cart after it was changed: a cart with its `totals` inside.
    Cart(Json),
}

/// Where a turn is told to, as it goes.
pub trait Audience: Send + Sync {
    /// Passes it on; never waits.
    fn tell(&self, told: Told);
}

/// An audience of a turn that nobody watches.
impl Audience for () {
    fn tell(&self, _: Told) {}
}

/// One message of a shopper, with what went before.
pub struct Turn<'a> {
    /// Whose.
    pub shopper: Shopper,
    /// What she says, trimmed and not empty.
    pub text: &'a str,
    /// What was said before, the oldest first.
    pub history: &'a [Line],
    /// What tools have told in this conversation; they add to it.
    pub known: &'a mut Known,
    /// Where the turn is told to.
    pub audience: &'a dyn Audience,
}

/// What a turn took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that a model read.
    pub input_tokens: u64,
    /// Tokens that a model wrote.
    pub output_tokens: u64,
    /// Tools that were called.
    pub tool_calls: u32,
}

/// The end of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The whole reply, as its deltas have it.
    pub text: String,
    /// The products that it speaks of, in their order on the screen.
    pub products: Vec<ProductId>,
    /// What it took.
    pub usage: Usage,
}

/// Answers shoppers.
#[async_trait]
pub trait Assistant: Send + Sync + 'static {
    /// Answers one message. There is always a reply: what fails is told politely in it, and the
    /// chat works on.
    async fn answer(&self, turn: Turn<'_>) -> Reply;
}

/// What a user may still spend on a model today.
#[async_trait]
pub trait Budget: Send + Sync + 'static {
    /// Tokens that `user` has left today.
    async fn left(&self, user: UserId) -> u64;
    /// Counts tokens that were spent.
    async fn spend(&self, user: UserId, tokens: u64);
}
