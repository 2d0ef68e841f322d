//! The wording of replies.

use super::tool_results::ToolProduct;
use crate::domain::ids::ProductId;

/// Begins a question whose answer selects one of several products.
pub(super) const WHICH: &str = "Which one do you mean?";
/// Ends an offer to add the current product.
pub(super) const SHALL_ADD: &str = "Shall I put it in your cart?";
/// Begins an offer to add fewer.
pub(super) const SHALL_ADD_FEWER: &str = "Shall I add ";
/// The question before a cart is emptied.
pub(super) const SHALL_EMPTY: &str = "Shall I take everything out of your cart?";

/// Ends an offer; after a yes, the request is read again from the earlier message.
pub(super) const SAY_YES: &str = "Say “yes”, and it is done.";

/// A reply, and the products that it mentions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RuleReply {
    pub text: String,
    pub products: Vec<ProductId>,
}

impl RuleReply {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), products: vec![] }
    }

    pub(super) fn with(text: impl Into<String>, products: &[ToolProduct]) -> Self {
        Self { text: text.into(), products: products.iter().map(|product| product.id).collect() }
    }
}

/// Splits a reply into the pieces in which it is sent, of a few words each.
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

/// One of several wordings, selected by `seed`.
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

/// A numbered list of products, one per line.
pub(super) fn numbered(products: &[ToolProduct]) -> String {
    let lines = (1..).zip(products).map(|(position, product): (usize, _)| format!("{position}. {}", product.line()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_whole_text() {
        for text in ["", " ", "one", "a b c d e f g h", "é\nü  \n\n₹1", "a b c d "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("one two three four five"), ["one two three four ", "five"]);
        assert_eq!(joined(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
