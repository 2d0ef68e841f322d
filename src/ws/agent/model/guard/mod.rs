//! Checks replies: only prices, stock, ids and links that a tool returned in this conversation are allowed.
//!
//! A model may invent or confuse facts, or be manipulated. So each sentence is compared with
//! the results of the tools before it is sent, and one that does not match is withheld.
//!
//! **Invariant:** text written by sellers (titles, descriptions) does not validate an amount, id or link.

mod amounts;

use std::collections::HashSet;

use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization;

use crate::domain::conversation::{KnownProducts, Line, Speaker};

/// Parts of the names of fields that contain money.
const MONEY: [&str; 13] = [
    "amount",
    "price",
    "total",
    "subtotal",
    "cost",
    "tax",
    "shipping",
    "saving",
    "difference",
    "discount",
    "cheapest",
    "payable",
    "due",
];
/// Fields with text written by sellers or users.
const FREE_TEXT: [&str; 7] = ["title", "description", "name", "category", "query", "reason", "username"];
/// The minimum length of a title that is searched in a sentence.
const TITLE_MIN: usize = 3;
/// The maximum number of entries of each kind.
const GROUNDING_MAX: usize = 5_000;

/// A product and the amounts that were returned with it.
#[derive(Debug, Default)]
struct Product {
    title: String,
    amounts: HashSet<u64>,
}

/// The facts that a reply may state.
#[derive(Debug, Default)]
pub(super) struct Grounding {
    /// Amounts that belong to no product: totals, and amounts that the user named.
    amounts: HashSet<u64>,
    counts: HashSet<u64>,
    ids: HashSet<String>,
    links: HashSet<String>,
    products: Vec<Product>,
    /// What the conversation knew before this turn.
    known: KnownProducts,
}

impl Grounding {
    /// The facts of the conversation so far.
    pub(super) fn of(history: &[Line], text: &str, known: &KnownProducts) -> Self {
        let mut grounding = Self { known: known.clone(), ..Self::default() };
        for line in history {
            grounding.said(&line.text);
            grounding.ids.extend(line.products.iter().map(ToString::to_string));
            if line.by == Speaker::Assistant {
                // It was checked before it was sent.
                grounding.links.extend(links(&line.text).map(str::to_owned));
            }
        }
        grounding.said(text);
        grounding
    }

    fn said(&mut self, text: &str) {
        let text = normalized(text);
        self.amounts.extend(amounts::amounts(&text).into_iter().flatten());
        self.counts.extend(amounts::stocks(&text).into_iter().flatten());
        self.ids.extend(ids(&text).map(str::to_owned));
    }

    /// Adds the facts of a tool's result.
    pub(super) fn learn(&mut self, answer: &Json) {
        if self.amounts.len() + self.ids.len() + self.products.len() < GROUNDING_MAX {
            self.walk(answer, "", None);
        }
    }

    fn walk(&mut self, value: &Json, field: &str, product: Option<usize>) {
        match value {
            Json::Object(fields) => {
                let untrusted = fields.get("untrusted");
                let titled = [Some(value), untrusted].into_iter().flatten().find_map(|of| of.get("title")?.as_str());
                let product = titled.map_or(product, |title| Some(self.product(title)));
                for (name, value) in fields.iter().filter(|(name, _)| *name != "untrusted") {
                    // The amount within `price` is a price.
                    let field = if MONEY.contains(&name.as_str()) && is_money(field) { field } else { name.as_str() };
                    self.walk(value, field, product);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.walk(item, field, product)),
            Json::Number(number) => {
                let Some(number) = amounts::hundredths(&number.to_string()) else { return };
                if is_money(field) {
                    self.amount(number, product);
                } else {
                    self.counts.insert(number);
                }
            }
            Json::String(text) if !FREE_TEXT.contains(&field) => self.text(text, product),
            Json::String(_) | Json::Bool(_) | Json::Null => {}
        }
    }

    fn text(&mut self, text: &str, product: Option<usize>) {
        let normalized = normalized(text);
        self.ids.extend(ids(&normalized).map(str::to_owned));
        if text.starts_with('/') || text.starts_with("http") {
            self.links.insert(text.to_owned());
        }
        for amount in amounts::amounts(&normalized).into_iter().flatten() {
            self.amount(amount, product);
        }
    }

    fn amount(&mut self, amount: u64, product: Option<usize>) {
        match product.and_then(|at| self.products.get_mut(at)) {
            Some(product) => product.amounts.insert(amount),
            None => self.amounts.insert(amount),
        };
    }

    fn product(&mut self, title: &str) -> usize {
        let title = normalized(title);
        self.products.iter().position(|product| product.title == title).unwrap_or_else(|| {
            self.products.push(Product { title, ..Product::default() });
            self.products.len() - 1
        })
    }

    /// The kind of an unsupported fact in `sentence`, if any.
    pub(super) fn ungrounded(&self, sentence: &str) -> Option<&'static str> {
        if links(sentence).any(|link| !self.links.contains(link)) {
            return Some("link");
        }
        let mut text = normalized(sentence);
        let is_known = |id: &str| self.ids.contains(id) || id.parse().is_ok_and(|id| self.known.has(id));
        if !ids(&text).all(is_known) {
            return Some("id");
        }
        // A title may contain numbers, even prices; the rest of the sentence must be supported without it.
        let mut named: Vec<&Product> =
            self.products.iter().filter(|product| product.title.len() >= TITLE_MIN).collect();
        named.sort_by_key(|product| std::cmp::Reverse(product.title.len()));
        named.retain(|product| {
            let found = text.contains(&product.title);
            text = text.replace(&product.title, " # ");
            found
        });
        let is_grounded = |amount: u64| {
            let of = |product: &Product| product.amounts.contains(&amount);
            let by_product =
                if named.is_empty() { self.products.iter().any(of) } else { named.iter().any(|one| of(one)) };
            self.amounts.contains(&amount) || by_product
        };
        if amounts::amounts(&text).into_iter().any(|amount| !amount.is_some_and(is_grounded)) {
            return Some("price");
        }
        let counted = |count: u64| self.counts.contains(&count);
        amounts::stocks(&text).into_iter().any(|count| !count.is_some_and(counted)).then_some("stock")
    }
}

fn is_money(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    // `totalQuantity` and similar fields are counts.
    let counts = ["quantity", "count", "pages"].iter().any(|part| field.contains(part));
    !counts && MONEY.iter().any(|part| field.contains(part))
}

/// Lower case, with one variant of each character.
fn normalized(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The ids in a text: 24 hexadecimal digits.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Everything in a text that a browser or a reader would follow as a link.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = |char: char| char.is_whitespace() || matches!(char, '(' | ')' | '[' | ']' | '<' | '>' | '"' | '`' | '*');
    let words =
        text.split(ends).map(|word| word.trim_matches(|char| matches!(char, '.' | ',' | ';' | ':' | '!' | '?')));
    words.filter(|word| {
        let path =
            word.starts_with('/') && word[1..].starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
        word.contains("://") || word.to_ascii_lowercase().starts_with("www.") || path
    })
}

#[cfg(test)]
mod tests;
