//! Quantities and their products: "two of the first and three of the third", "make it 3", "one more".

use super::{
    intent::{Quantity, TokenizedMessage},
    reference::Reference,
    tokens::Token,
};
use crate::domain::cart::QUANTITY_MAX;

/// A quantity of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The quantity; `None` if it was not stated.
    pub quantity: Option<u32>,
    pub reference: Reference,
}

/// The items in the tokens after the verb.
pub(super) fn items(tokens: &[Token]) -> Vec<Item> {
    let tokens = trimmed(tokens);
    // "salt and pepper mill" is one product, "the kettle and two mugs" are two.
    let apart = |part: &[Token]| {
        let opens = part.first().is_some_and(|token| token.is_any(&["the", "a", "an", "that", "this", "it", "both"]));
        opens || part.first().is_some_and(|token| token.count().is_some() || token.position.is_some())
    };
    let mut parts: Vec<Vec<Token>> = vec![];
    for part in split(&tokens) {
        match parts.last_mut().filter(|_| !apart(&part)) {
            Some(before) => before.extend(part),
            None => parts.push(part),
        }
    }
    let mut items: Vec<Item> = parts.iter().map(|part| item(part)).collect();
    // "add two of the first and second": the positions of one request share a quantity.
    if let Some(first) = items.first().and_then(|item| item.quantity)
        && items.iter().skip(1).all(|item| item.quantity.is_none() && matches!(item.reference, Reference::Positions(_)))
    {
        items.iter_mut().for_each(|item| item.quantity = Some(first));
    }
    items.retain(|item| item.reference != Reference::Nothing || item.quantity.is_some());
    if items.is_empty() {
        items.push(Item { quantity: None, reference: Reference::It });
    }
    items
}

/// The tokens without "to my cart" and similar words.
fn trimmed(tokens: &[Token]) -> Vec<Token> {
    let mut kept: Vec<Token> = tokens.to_vec();
    let tail = ["cart", "basket", "trolley", "my", "the", "to", "in", "into", "please", "pls", ",", "for", "me", "now"];
    let cart_at = kept.iter().position(|token| token.is_any(&["cart", "basket", "trolley"]));
    if let Some(at) = cart_at {
        let mut start = at;
        while start > 0 && kept[start - 1].is_any(&["my", "the", "to", "in", "into"]) {
            start -= 1;
        }
        kept.drain(start..=at);
    }
    while kept.last().is_some_and(|token| token.is_any(&tail)) {
        kept.pop();
    }
    while kept.first().is_some_and(|token| token.is_any(&["me", "up", "to", "also", ",", "please"])) {
        kept.remove(0);
    }
    kept
}

fn item(tokens: &[Token]) -> Item {
    let counted = |token: &Token| token.count().filter(|count| *count >= 1 && token.position.is_none());
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is_any(words));
    // x3, x 3, quantity 3, 3 pieces
    for (at, token) in tokens.iter().enumerate() {
        let glued =
            token.text.strip_prefix('x').and_then(|rest| rest.parse().ok()).filter(|count| *count <= QUANTITY_MAX);
        if let Some(count) = glued.filter(|_| at > 0) {
            return Item { quantity: Some(count), reference: reference_without(tokens, at, at + 1) };
        }
        let marked = is(at + 1, &["pieces", "pcs", "units", "times", "nos"]);
        let led = at > 0 && is(at - 1, &["x", "quantity", "qty"]);
        if let Some(count) = counted(token).filter(|_| marked || led) {
            let (start, end) = (if led { at - 1 } else { at }, if marked { at + 2 } else { at + 1 });
            return Item { quantity: Some(count), reference: reference_without(tokens, start, end) };
        }
    }
    let articles = tokens.iter().take_while(|token| token.is_any(&["a", "the", "another", "some"])).count();
    match tokens.get(articles).and_then(counted) {
        Some(count) if !tokens[articles].money => {
            let rest = &tokens[articles + 1..];
            let rest =
                if rest.first().is_some_and(|token| token.is_any(&["x", "of", "more"])) { &rest[1..] } else { rest };
            let reference = Reference::read(rest);
            // "add the 2" and "add 2" may mean a position or a quantity; the code that has the list decides.
            Item { quantity: Some(count), reference }
        }
        _ => Item { quantity: None, reference: Reference::read(tokens) },
    }
}

fn reference_without(tokens: &[Token], start: usize, end: usize) -> Reference {
    let kept: Vec<Token> = tokens[..start].iter().chain(tokens.get(end..).unwrap_or_default()).cloned().collect();
    Reference::read(&kept)
}

/// Splits a list of things.
pub(super) fn split(tokens: &[Token]) -> Vec<Vec<Token>> {
    split_at(tokens, &["and", ",", "plus"])
}

/// Splits `tokens` at any of these words.
pub(super) fn split_at(tokens: &[Token], words: &[&str]) -> Vec<Vec<Token>> {
    let parts = tokens.split(|token| token.is_any(words)).filter(|part| !part.is_empty());
    parts.map(<[Token]>::to_vec).collect()
}

/// A change of a quantity, if `message` asks for one.
pub(super) fn change(message: &TokenizedMessage) -> Option<(Reference, Quantity)> {
    let tokens = &message.tokens;
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is_any(words));
    let count_at = |at: usize| tokens.get(at).and_then(Token::count).filter(|count| *count >= 1);
    if message.has(&["double", "twice"]) && tokens.len() <= 6 {
        return Some((it_or(&drop(tokens, &["double", "twice"])), Quantity::Twice));
    }
    // one more, two more of the kettle, add one more, another one
    let bare = tokens.len() <= 2 || message.has(&["add", "of"]);
    if let Some(at) = (0..tokens.len()).find(|at| count_at(*at).is_some() && is(at + 1, &["more", "less", "fewer"]))
        && !is(at + 2, &["than"])
        && (bare
            || message.has(&["increase", "decrease", "reduce", "want", "need", "please", "remove"])
            || tokens.len() <= 4)
    {
        let count = count_at(at).unwrap_or(1);
        let more = is(at + 1, &["more"]);
        let rest: Vec<Token> = tokens[..at].iter().chain(&tokens[at + 2..]).cloned().collect();
        let rest = drop(&rest, &["increase", "decrease", "reduce", "by", "add", "remove", "quantity", "qty"]);
        return Some((it_or(&rest), if more { Quantity::More(count) } else { Quantity::Less(count) }));
    }
    let up = message.has(&["increase", "raise", "bump"]);
    let down = message.has(&["decrease", "reduce", "lower"]);
    let by = tokens.iter().position(|token| token.is("by")).and_then(|at| count_at(at + 1));
    if let Some(count) = by.filter(|_| up || down) {
        let rest = drop(tokens, &["increase", "raise", "bump", "decrease", "reduce", "lower", "by", "quantity", "qty"]);
        let rest: Vec<Token> = rest.into_iter().filter(|token| token.count() != Some(count)).collect();
        return Some((it_or(&rest), if up { Quantity::More(count) } else { Quantity::Less(count) }));
    }
    // In "a set of four", "set" is not a verb.
    let set = (0..tokens.len()).any(|at| is(at, &["set"]) && !is(at + 1, &["of"]));
    let made = set || message.has(&["make", "change", "update", "quantity", "qty"]) || up || down;
    let bare =
        || super::vocabulary::content(&drop(tokens, &["instead"])).iter().all(|word| word.parse::<u32>().is_ok());
    let instead = message.has(&["instead"])
        || (message.has(&["only", "just"]) && message.tokens.iter().any(|t| t.count().is_some()) && bare());
    if !made && !instead {
        return None;
    }
    // "change the kettle to two", "make it 3", "i want 3 instead"
    // In "the second one", "one" is not a quantity.
    let thing = |at: usize| {
        is(at, &["one"]) && at > 0 && (tokens[at - 1].position.is_some() || is(at - 1, &["that", "this", "the"]))
    };
    let at = (0..tokens.len()).rev().find(|at| count_at(*at).is_some() && !thing(*at))?;
    let rest: Vec<Token> = tokens[..at].iter().chain(&tokens[at + 1..]).cloned().collect();
    let rest = drop(
        &rest,
        &[
            "make", "change", "set", "update", "quantity", "qty", "to", "of", "instead", "increase", "raise",
            "decrease", "reduce", "lower", "bump", "x",
        ],
    );
    Some((it_or(&rest), Quantity::To(count_at(at)?)))
}

fn drop(tokens: &[Token], words: &[&str]) -> Vec<Token> {
    tokens.iter().filter(|token| !token.is_any(words)).cloned().collect()
}

fn it_or(tokens: &[Token]) -> Reference {
    match Reference::read(tokens) {
        Reference::Nothing => Reference::It,
        reference => reference,
    }
}
