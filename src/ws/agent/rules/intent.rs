//! Reads the intent of a message.
//!
//! **Invariant:** any text yields exactly one [`Intent`], without a call to a service.

use super::{
    order_intent,
    price::Limits,
    quantity::Item,
    reference::Reference,
    search_intent, small_talk,
    tokens::{Token, tokens},
};
use crate::domain::{ids::OrderId, order::OrderStatus};

/// The order in which products are preferred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Preference {
    #[default]
    Best,
    Cheapest,
    Dearest,
    Newest,
}

/// The parameters of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub words: Vec<String>,
    pub limits: Limits,
    pub in_stock: bool,
    pub preference: Preference,
}

/// A change of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    To(u32),
    More(u32),
    Less(u32),
    Twice,
}

/// The intent of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    Find(Wanted),
    Add(Vec<Item>),
    Change(Reference, Quantity),
    Remove(Vec<Item>),
    ClearCart,
    ShowCart,
    Checkout,
    OrderStatus(Option<OrderId>),
    ListOrders(Option<OrderStatus>),
    /// Cancellations, refunds and returns, which are not possible in the chat.
    AboutOrders,
    Compare(Vec<Reference>),
    Details(Reference),
    Recommend(Reference),
    Categories,
    /// More results of the last search.
    More,
    /// Shipping, returns, support: questions that no tool answers.
    AboutShop,
    Hello,
    Thanks,
    Bye,
    Help,
    WhoAreYou,
    Yes,
    No,
    /// Not understood.
    Unclear,
}

impl Intent {
    /// Whether it changes the cart or leads to the checkout, which requires an instruction.
    pub(super) const fn acts(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Change(..) | Self::Remove(_) | Self::ClearCart | Self::Checkout)
    }
}

/// A message as a list of tokens.
pub(super) struct TokenizedMessage {
    pub tokens: Vec<Token>,
}

impl TokenizedMessage {
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.iter().any(|token| token.is_any(words))
    }

    /// Whether the message contains these consecutive words.
    pub(super) fn has_phrase(&self, phrase: &str) -> bool {
        let words: Vec<&str> = phrase.split(' ').collect();
        self.tokens.windows(words.len()).any(|found| found.iter().zip(&words).all(|(token, word)| token.is(word)))
    }

    pub(super) fn has_any_phrase(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has_phrase(phrase))
    }

    /// The tokens after the first of these words.
    pub(super) fn after(&self, words: &[&str]) -> Option<&[Token]> {
        let at = self.tokens.iter().position(|token| token.is_any(words))?;
        self.tokens.get(at + 1..)
    }
}

/// Verbs that add something to a cart.
pub(super) const PUT: [&str; 4] = ["add", "put", "include", "throw"];

/// Splits a message into tokens.
pub(super) fn tokenize(text: &str) -> TokenizedMessage {
    TokenizedMessage { tokens: tokens(text) }
}

/// The intent of `text`. Whether it may be carried out is not checked here.
pub(super) fn read(text: &str) -> Intent {
    let message = tokenize(text);
    if let Some(intent) = small_talk::read(&message) {
        return intent;
    }
    if let Some(intent) = order_intent::about_shop(&message) {
        return intent;
    }
    let by_subject = order_intent::orders(&message, text)
        .or_else(|| order_intent::cart(&message))
        .or_else(|| search_intent::of_products(&message));
    by_subject.or_else(|| search_intent::adding(&message)).unwrap_or_else(|| search_intent::finding(&message))
}
