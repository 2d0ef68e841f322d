//! Whether the shopper asked for a change herself.
//!
//! Once a model has read in a turn what sellers write, its wish to change the cart may be theirs.
//! So from then on a change needs her own words: that she wants something changed, and a number
//! of pieces that she named. A model that is refused asks her, and her "yes" is enough.
//!
//! **Invariant:** no text but the shopper's, and the question that she answers, counts here.

use serde_json::Value as Json;

use crate::domain::conversation::{Line, Speaker};

/// Words that ask for a change.
const WISHES: [&str; 58] = [
    "add", "adding", "put", "buy", "buying", "purchase", "take", "get", "grab", "want", "need", "order", "reorder",
    "cart", "basket", "bag", "trolley", "remove", "delete", "drop", "clear", "empty", "change", "update", "make",
    "set", "increase", "decrease", "reduce", "raise", "lower", "more", "less", "fewer", "another", "instead",
    "replace", "swap", "keep", "include", "give", "throw", "pick", "choose", "select", "checkout", "pay", "double",
    "daal", "dal", "daalo", "chahiye", "kharid", "kharidna", "hata", "hatao", "lelo", "mangta",
];
/// Words that say yes to a question.
const YES: [&str; 22] = [
    "yes", "yep", "yeah", "yup", "ya", "y", "ok", "okay", "sure", "please", "right", "correct", "exactly", "confirm",
    "go", "do", "fine", "perfect", "great", "haan", "han", "ji",
];
/// A yes is short, or begins so.
const YES_WORDS_MAX: usize = 3;
/// Numbers in letters.
const NUMBERS: [(&str, u64); 28] = [
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("hundred", 100),
    ("dozen", 12),
    ("pair", 2),
    ("couple", 2),
    ("both", 2),
];

/// What a shopper asked for.
#[derive(Debug, Default)]
pub(super) struct Consent {
    wishes: bool,
    numbers: Vec<u64>,
}

impl Consent {
    /// What she asks for by `text`, after `history`.
    pub(super) fn of(history: &[Line], text: &str) -> Self {
        let words = words(text);
        let mut numbers = numbers(&words);
        let first = words.first().is_some_and(|word| YES.contains(&word.as_str()));
        let yes = first || (words.len() <= YES_WORDS_MAX && words.iter().any(|word| YES.contains(&word.as_str())));
        let question = history.last().filter(|line| line.by == Speaker::Assistant && line.text.contains('?'));
        if let Some(question) = question.filter(|_| yes || words.len() <= YES_WORDS_MAX) {
            numbers.extend(self::numbers(&self::words(&question.text)));
        }
        let asked = words.iter().any(|word| WISHES.contains(&word.as_str()));
        // "The second one" answers a question as well as "yes".
        let answered = question.is_some() && (yes || words.len() <= YES_WORDS_MAX + 2);
        Self { wishes: asked || answered, numbers }
    }

    /// Whether she asked for a change.
    pub(super) fn wishes(&self) -> bool {
        self.wishes
    }

    /// Whether she named as many pieces as `arguments` have; one needs no naming.
    pub(super) fn named(&self, arguments: &Json) -> bool {
        let pieces = arguments.get("quantity").or_else(|| arguments.get("qty")).and_then(Json::as_u64);
        pieces.is_none_or(|pieces| pieces <= 1 || self.numbers.contains(&pieces))
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn numbers(words: &[String]) -> Vec<u64> {
    let read = |word: &String| {
        let digits = word.trim_matches('x');
        let in_letters = NUMBERS.iter().find(|(name, _)| name == word).map(|(_, number)| *number);
        digits.parse().ok().or(in_letters)
    };
    words.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Timestamp;

    fn asked(question: &str) -> Vec<Line> {
        vec![Line { by: Speaker::Assistant, text: question.into(), products: vec![], at: Timestamp::UNIX_EPOCH }]
    }

    #[test]
    fn her_own_words_ask_for_a_change() {
        for text in ["Add the blue mug", "I'll take it", "put 2 in my cart", "make it three", "buy the second one"] {
            assert!(Consent::of(&[], text).wishes(), "{text}");
        }
        for text in ["find a mug", "do you have cups under 500?", "compare these", "hello", "is it in stock"] {
            assert!(!Consent::of(&[], text).wishes(), "{text}");
        }
    }

    #[test]
    fn a_yes_counts_where_something_was_asked() {
        assert!(Consent::of(&asked("Shall I add 2 mugs?"), "yes").wishes());
        assert!(Consent::of(&asked("Which one, the blue or the red?"), "the second one").wishes());
        assert!(!Consent::of(&asked("Here are three mugs."), "nice").wishes());
        assert!(!Consent::of(&[], "sure").wishes());
        assert!(!Consent::of(&asked("Anything else?"), "show me some steel bottles under 500").wishes());
    }

    #[test]
    fn more_than_one_piece_must_be_named() {
        let named =
            |history: &[Line], text, pieces: u64| Consent::of(history, text).named(&json!({ "quantity": pieces }));
        assert!(named(&[], "add the mug", 1) && !named(&[], "add the mug", 10));
        assert!(named(&[], "add ten mugs", 10) && named(&[], "add 2x mug", 2) && named(&[], "a dozen please", 12));
        assert!(named(&asked("Shall I add 3 of them?"), "yes please", 3));
        assert!(Consent::of(&[], "empty it").named(&json!({})));
    }
}
