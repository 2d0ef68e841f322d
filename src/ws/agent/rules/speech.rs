//! How replies sound.

use super::goods::Goods;
use crate::domain::ids::ProductId;

/// Begins a question whose answer names one of several products.
pub(super) const WHICH: &str = "Which one do you mean?";
/// Ends an offer to add what was spoken of.
pub(super) const SHALL_ADD: &str = "Shall I put it in your cart?";
/// Begins an offer to add fewer.
pub(super) const SHALL_ADD_FEWER: &str = "Shall I add ";
/// Begins the question before a cart is emptied.
pub(super) const SHALL_EMPTY: &str = "Shall I take everything out of your cart?";

/// Ends an offer to do what was asked about; the wish is read again from the message before.
pub(super) const SAY_YES: &str = "Say “yes”, and it is done.";

/// A reply, and the products that it speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    pub text: String,
    pub products: Vec<ProductId>,
}

impl Spoken {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), products: vec![] }
    }

    pub(super) fn with(text: impl Into<String>, goods: &[Goods]) -> Self {
        Self { text: text.into(), products: goods.iter().map(|goods| goods.id).collect() }
    }
}

/// A reply in pieces as they are told: a few words each, and all of them the reply.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    const WORDS: usize = 4;
    let (mut pieces, mut start, mut words) = (vec![], 0, 0);
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_whitespace()) {
        words += 1;
        if words >= WORDS || c == '\n' {
            let end = at + c.len_utf8();
            pieces.push(&text[start..end]);
            (start, words) = (end, 0);
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// One of several wordings, by how the conversation went so far.
pub(super) fn one_of<'a>(seed: usize, wordings: &[&'a str]) -> &'a str {
    wordings.get(seed % wordings.len().max(1)).copied().unwrap_or_default()
}

/// "1 lamp", "2 lamps".
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// "a, b and c".
pub(super) fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Products in lines of their own, numbered as they can be called.
pub(super) fn numbered(goods: &[Goods]) -> String {
    let lines = (1..).zip(goods).map(|(place, goods): (usize, _)| format!("{place}. {}", goods.line()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        for text in ["", " ", "one", "a b c d e f g h", "é\nü  \n\n₹1", "a b c d "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("one two three four five"), ["one two three four ", "five"]);
        assert_eq!(joined(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
