//! What a shopper wants, read from one message.
//!
//! **Invariant:** any text at all is one [`Intent`], without asking anybody.

use super::{
    asks,
    price::Limits,
    quantity::Item,
    refer::Refer,
    small_talk,
    tokens::{Token, tokens},
    wishes,
};
use crate::domain::{ids::OrderId, order::OrderStatus};

/// The order in which products are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// The best first.
    #[default]
    Best,
    Cheapest,
    Dearest,
    Newest,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub words: Vec<String>,
    pub limits: Limits,
    pub in_stock: bool,
    pub wish: Wish,
}

/// How a quantity is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    To(u32),
    More(u32),
    Less(u32),
    Twice,
}

/// What a shopper wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    Find(Wanted),
    Add(Vec<Item>),
    Change(Refer, Quantity),
    Remove(Vec<Item>),
    ClearCart,
    ShowCart,
    Checkout,
    OrderStatus(Option<OrderId>),
    ListOrders(Option<OrderStatus>),
    /// Cancelling, refunds, returns: nothing that is done here.
    AboutOrders,
    Compare(Vec<Refer>),
    Details(Refer),
    Recommend(Refer),
    Categories,
    /// More of what was found than is shown.
    More,
    /// Shipping, returns, people: nothing that a tool knows.
    AboutShop,
    Hello,
    Thanks,
    Bye,
    Help,
    WhoAreYou,
    Yes,
    No,
    /// Nothing that is understood.
    Unclear,
}

impl Intent {
    /// Whether it changes the cart or leads to the checkout: that takes an instruction.
    pub(super) const fn acts(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Change(..) | Self::Remove(_) | Self::ClearCart | Self::Checkout)
    }
}

/// A message, as the rules look at it.
pub(super) struct Said {
    pub tokens: Vec<Token>,
}

impl Said {
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.iter().any(|token| token.is_any(words))
    }

    /// Whether these words follow one another.
    pub(super) fn says(&self, phrase: &str) -> bool {
        let words: Vec<&str> = phrase.split(' ').collect();
        self.tokens.windows(words.len()).any(|found| found.iter().zip(&words).all(|(token, word)| token.is(word)))
    }

    pub(super) fn says_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.says(phrase))
    }

    /// What stands after the first of these words.
    pub(super) fn after(&self, words: &[&str]) -> Option<&[Token]> {
        let at = self.tokens.iter().position(|token| token.is_any(words))?;
        self.tokens.get(at + 1..)
    }
}

/// Verbs that put something in a cart.
pub(super) const PUT: [&str; 4] = ["add", "put", "include", "throw"];

/// A message by its words.
pub(super) fn said(text: &str) -> Said {
    Said { tokens: tokens(text) }
}

/// What `text` asks for; whether that may be done is not looked at here.
pub(super) fn read(text: &str) -> Intent {
    let said = said(text);
    if let Some(intent) = small_talk::read(&said) {
        return intent;
    }
    if let Some(intent) = asks::about_shop(&said) {
        return intent;
    }
    let by_subject = asks::orders(&said, text).or_else(|| asks::cart(&said)).or_else(|| wishes::of_products(&said));
    by_subject.or_else(|| wishes::adding(&said)).unwrap_or_else(|| wishes::finding(&said))
}
