//! How many of what: "two of the first and three of the third", "make it 3", "one more".

use super::{
    intent::{Quantity, Said},
    refer::Refer,
    tokens::Token,
};
use crate::domain::cart::QUANTITY_MAX;

/// Some units of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// How many; `None` where it was not said.
    pub quantity: Option<u32>,
    /// Of what.
    pub refer: Refer,
}

/// What is to be added, of what follows the verb.
pub(super) fn items(tokens: &[Token]) -> Vec<Item> {
    let tokens = trimmed(tokens);
    // "salt and pepper mill" is one thing, "the kettle and two mugs" are two.
    let apart = |part: &[Token]| {
        let opens = part.first().is_some_and(|token| token.is_any(&["the", "a", "an", "that", "this", "it", "both"]));
        opens || part.first().is_some_and(|token| token.count().is_some() || token.place.is_some())
    };
    let mut parts: Vec<Vec<Token>> = vec![];
    for part in split(&tokens) {
        match parts.last_mut().filter(|_| !apart(&part)) {
            Some(before) => before.extend(part),
            None => parts.push(part),
        }
    }
    let mut items: Vec<Item> = parts.iter().map(|part| item(part)).collect();
    // "add the first and second": places of one wish have one quantity.
    if let Some(first) = items.first().and_then(|item| item.quantity)
        && items.iter().skip(1).all(|item| item.quantity.is_none() && matches!(item.refer, Refer::Places(_)))
    {
        items.iter_mut().for_each(|item| item.quantity = Some(first));
    }
    items.retain(|item| item.refer != Refer::Nothing || item.quantity.is_some());
    if items.is_empty() {
        items.push(Item { quantity: None, refer: Refer::It });
    }
    items
}

/// Without where to and other words around a wish.
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
    let counted = |token: &Token| token.count().filter(|count| *count >= 1 && token.place.is_none());
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is_any(words));
    // x3, x 3, quantity 3, 3 pieces
    for (at, token) in tokens.iter().enumerate() {
        let glued =
            token.text.strip_prefix('x').and_then(|rest| rest.parse().ok()).filter(|count| *count <= QUANTITY_MAX);
        if let Some(count) = glued.filter(|_| at > 0) {
            return Item { quantity: Some(count), refer: refer_without(tokens, at, at + 1) };
        }
        let marked = is(at + 1, &["pieces", "pcs", "units", "times", "nos"]);
        let led = at > 0 && is(at - 1, &["x", "quantity", "qty"]);
        if let Some(count) = counted(token).filter(|_| marked || led) {
            let (start, end) = (if led { at - 1 } else { at }, if marked { at + 2 } else { at + 1 });
            return Item { quantity: Some(count), refer: refer_without(tokens, start, end) };
        }
    }
    let articles = tokens.iter().take_while(|token| token.is_any(&["a", "the", "another", "some"])).count();
    match tokens.get(articles).and_then(counted) {
        Some(count) if !tokens[articles].money => {
            let rest = &tokens[articles + 1..];
            let rest =
                if rest.first().is_some_and(|token| token.is_any(&["x", "of", "more"])) { &rest[1..] } else { rest };
            let refer = Refer::read(rest);
            // "add the 2" and "add 2" may mean a place or a number of units: whoever has the list knows.
            Item { quantity: Some(count), refer }
        }
        _ => Item { quantity: None, refer: Refer::read(tokens) },
    }
}

fn refer_without(tokens: &[Token], start: usize, end: usize) -> Refer {
    let kept: Vec<Token> = tokens[..start].iter().chain(tokens.get(end..).unwrap_or_default()).cloned().collect();
    Refer::read(&kept)
}

/// The parts of a list of things.
pub(super) fn split(tokens: &[Token]) -> Vec<Vec<Token>> {
    split_at(tokens, &["and", ",", "plus"])
}

/// The parts of `tokens` between any of these words.
pub(super) fn split_at(tokens: &[Token], words: &[&str]) -> Vec<Vec<Token>> {
    let parts = tokens.split(|token| token.is_any(words)).filter(|part| !part.is_empty());
    parts.map(<[Token]>::to_vec).collect()
}

/// A wish to change how many there are, if `said` is one.
pub(super) fn change(said: &Said) -> Option<(Refer, Quantity)> {
    let tokens = &said.tokens;
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.is_any(words));
    let count_at = |at: usize| tokens.get(at).and_then(Token::count).filter(|count| *count >= 1);
    if said.has(&["double", "twice"]) && tokens.len() <= 6 {
        return Some((it_or(&drop(tokens, &["double", "twice"])), Quantity::Twice));
    }
    // one more, two more of the kettle, add one more, another one
    let bare = tokens.len() <= 2 || said.has(&["add", "of"]);
    if let Some(at) = (0..tokens.len()).find(|at| count_at(*at).is_some() && is(at + 1, &["more", "less", "fewer"]))
        && !is(at + 2, &["than"])
        && (bare
            || said.has(&["increase", "decrease", "reduce", "want", "need", "please", "remove"])
            || tokens.len() <= 4)
    {
        let count = count_at(at).unwrap_or(1);
        let more = is(at + 1, &["more"]);
        let rest: Vec<Token> = tokens[..at].iter().chain(&tokens[at + 2..]).cloned().collect();
        let rest = drop(&rest, &["increase", "decrease", "reduce", "by", "add", "remove", "quantity", "qty"]);
        return Some((it_or(&rest), if more { Quantity::More(count) } else { Quantity::Less(count) }));
    }
    let up = said.has(&["increase", "raise", "bump"]);
    let down = said.has(&["decrease", "reduce", "lower"]);
    let by = tokens.iter().position(|token| token.is("by")).and_then(|at| count_at(at + 1));
    if let Some(count) = by.filter(|_| up || down) {
        let rest = drop(tokens, &["increase", "raise", "bump", "decrease", "reduce", "lower", "by", "quantity", "qty"]);
        let rest: Vec<Token> = rest.into_iter().filter(|token| token.count() != Some(count)).collect();
        return Some((it_or(&rest), if up { Quantity::More(count) } else { Quantity::Less(count) }));
    }
    // "a set of four" sets nothing.
    let set = (0..tokens.len()).any(|at| is(at, &["set"]) && !is(at + 1, &["of"]));
    let made = set || said.has(&["make", "change", "update", "quantity", "qty"]) || up || down;
    let bare =
        || super::vocabulary::content(&drop(tokens, &["instead"])).iter().all(|word| word.parse::<u32>().is_ok());
    let instead = said.has(&["instead"])
        || (said.has(&["only", "just"]) && said.tokens.iter().any(|t| t.count().is_some()) && bare());
    if !made && !instead {
        return None;
    }
    // "change the kettle to two", "make it 3", "i want 3 instead"
    // In "the second one" the one is none.
    let thing = |at: usize| {
        is(at, &["one"]) && at > 0 && (tokens[at - 1].place.is_some() || is(at - 1, &["that", "this", "the"]))
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

fn it_or(tokens: &[Token]) -> Refer {
    match Refer::read(tokens) {
        Refer::Nothing => Refer::It,
        refer => refer,
    }
}
