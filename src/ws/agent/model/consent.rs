//! Checks whether the user asked for a change.
//!
//! A model can be mistaken, and sellers can write what it reads. So a change requires the user's own
//! words: a plain instruction in the message ([`instruction`]), or a yes to the question about a change that was
//! just asked; and a quantity above one must be named. When a model is refused, it asks
//! the user, and a "yes" is sufficient.
//!
//! **Invariant:** only the user's text and the question that it answers are considered.

use serde_json::Value as Json;

use crate::{
    domain::conversation::{Line, Speaker},
    ws::agent::instruction::{self, Mood},
};

/// Words of a question about a change.
const ACTS: [&str; 37] = [
    "add",
    "put",
    "buy",
    "take",
    "get",
    "want",
    "need",
    "order",
    "cart",
    "basket",
    "bag",
    "trolley",
    "remove",
    "delete",
    "drop",
    "clear",
    "empty",
    "change",
    "update",
    "make",
    "set",
    "increase",
    "decrease",
    "reduce",
    "replace",
    "swap",
    "which",
    "many",
    "checkout",
    "check",
    "daal",
    "dal",
    "daalu",
    "hata",
    "chahiye",
    "कार्ट",
    "डाल",
];
/// Words for removing something or changing a quantity.
const LESSENS: [&str; 45] = [
    "remove",
    "delete",
    "drop",
    "discard",
    "exclude",
    "uncart",
    "empty",
    "clear",
    "out",
    "rid",
    "change",
    "make",
    "set",
    "reduce",
    "decrease",
    "lower",
    "less",
    "fewer",
    "replace",
    "swap",
    "instead",
    "only",
    "undo",
    "off",
    "throw",
    "toss",
    "take",
    "dont",
    "longer",
    "unwanted",
    "hata",
    "hatao",
    "hatado",
    "nikal",
    "nikalo",
    "nikaal",
    "kam",
    "हटा",
    "हटाओ",
    "निकाल",
    "निकालो",
    "cancel",
    "update",
    "back",
    "leave",
];
/// Words of a question with a choice, which a name or a number answers.
const CHOICES: [&str; 10] = ["which", "what", "many", "or", "kaunsa", "kaunsi", "kitne", "कौन", "कितने", "या"];
/// The maximum number of words of an answer to a choice.
const ANSWER_WORDS_MAX: usize = 8;
/// Numbers as words.
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

/// What the user asked for.
#[derive(Debug, Default)]
pub(super) struct Consent {
    asks_change: bool,
    /// Whether removing something is allowed.
    lessens: bool,
    /// Whether the user does not want something to be done.
    negates: bool,
    numbers: Vec<u64>,
}

impl Consent {
    /// The consent in `text`, given `history`.
    pub(super) fn of(history: &[Line], text: &str) -> Self {
        let reading = instruction::judge(text);
        let words = words(text);
        let mut numbers = numbers(&words);
        let last = history.last().filter(|line| line.by == Speaker::Assistant);
        let question = last.and_then(|line| question(&line.text));
        let question = question.unwrap_or_default();
        let answers = match reading.mood {
            Mood::Yes => true,
            // "The second one" is an answer to "which?".
            Mood::Naming => {
                let choice = question.iter().any(|word| CHOICES.contains(&word.as_str()));
                choice && !reading.instructions.is_empty() && words.len() <= ANSWER_WORDS_MAX
            }
            _ => false,
        };
        let question = if answers { question } else { vec![] };
        numbers.extend(self::numbers(&question));
        let answered = question.iter().any(|word| ACTS.contains(&word.as_str()));
        let instructed = reading.instructions.iter().flat_map(|text| self::words(text));
        let lessens = instructed.chain(question).any(|word| LESSENS.contains(&word.as_str()));
        let negates = matches!(reading.mood, Mood::Negated | Mood::No);
        Self { asks_change: reading.mood == Mood::Instruction || answered, lessens, negates, numbers }
    }

    /// Whether the user asked for a change that `tool` makes.
    pub(super) fn allows(&self, tool: &str) -> bool {
        self.asks_change && (self.lessens || tool != "remove_from_cart")
    }

    /// Whether the user does not want something to be done.
    pub(super) const fn negates(&self) -> bool {
        self.negates
    }

    /// Whether the user named the quantity of `arguments`; one need not be named.
    pub(super) fn named(&self, arguments: &Json) -> bool {
        let pieces = arguments.get("quantity").or_else(|| arguments.get("qty")).and_then(Json::as_u64);
        pieces.is_none_or(|pieces| pieces <= 1 || self.numbers.contains(&pieces))
    }
}

/// The words of the last question in `text`, if any.
fn question(text: &str) -> Option<Vec<String>> {
    let end = text.rfind('?')?;
    let start = text[..end].rfind(['.', '!', '?', '\n', '\u{964}']).map_or(0, |at| at + 1);
    text.get(start..end).map(words)
}

fn words(text: &str) -> Vec<String> {
    // Indic vowel signs and the virama are parts of words.
    let in_word = |char: char| char.is_alphanumeric() || matches!(char, '\u{93c}' | '\u{94d}');
    let words = text.split(|char: char| !in_word(char)).filter(|word| !word.is_empty());
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
    fn the_users_own_words_ask_for_a_change() {
        for text in ["Add the blue mug", "I'll take it", "put 2 in my cart", "make it three", "buy the second one"] {
            assert!(Consent::of(&[], text).allows("add_to_cart"), "{text}");
        }
        for text in ["find a mug", "do you have cups under 500?", "compare these", "hello", "is it in stock"] {
            assert!(!Consent::of(&[], text).allows("add_to_cart"), "{text}");
        }
    }

    #[test]
    fn a_yes_counts_as_the_answer_to_a_question() {
        assert!(Consent::of(&asked("Shall I add 2 mugs?"), "yes").allows("add_to_cart"));
        assert!(Consent::of(&asked("Which one, the blue or the red?"), "the second one").allows("add_to_cart"));
        assert!(!Consent::of(&asked("Here are three mugs."), "nice").allows("add_to_cart"));
        assert!(!Consent::of(&[], "sure").allows("add_to_cart"));
        assert!(!Consent::of(&asked("Anything else?"), "show me some steel bottles under 500").allows("add_to_cart"));
    }

    #[test]
    fn other_messages_do_not_ask_for_a_change() {
        for (mood, phrase) in instruction::tests::phrases() {
            let acts = matches!(mood, Mood::Instruction | Mood::Yes | Mood::Naming);
            if !acts {
                let consent = Consent::of(&asked("Shall I add 2 mugs?"), phrase);
                assert!(!consent.allows("add_to_cart") && !consent.allows("remove_from_cart"), "{phrase}");
            }
            assert!(mood == Mood::Instruction || !Consent::of(&[], phrase).allows("add_to_cart"), "{phrase}");
        }
        assert!(!Consent::of(&asked("Shall I tell you more about it?"), "yes").allows("add_to_cart"));
        assert!(!Consent::of(&[], "add the mug").allows("remove_from_cart"));
        assert!(Consent::of(&[], "remove the mug").allows("remove_from_cart"));
        assert!(Consent::of(&asked("Shall I take the mug out of your cart?"), "yes").allows("remove_from_cart"));
    }

    #[test]
    fn a_quantity_above_one_must_be_named() {
        let named =
            |history: &[Line], text, pieces: u64| Consent::of(history, text).named(&json!({ "quantity": pieces }));
        assert!(named(&[], "add the mug", 1) && !named(&[], "add the mug", 10));
        assert!(named(&[], "add ten mugs", 10) && named(&[], "add 2x mug", 2) && named(&[], "a dozen please", 12));
        assert!(named(&asked("Shall I add 3 of them?"), "yes please", 3));
        assert!(Consent::of(&[], "empty it").named(&json!({})));
    }
}
