//! Whether the shopper asked for a change herself.
//!
//! A model may be mistaken, and what it reads may be written by sellers. So a change needs her own
//! words: a plain instruction in her message ([`instruction`]), or a yes to the question that was
//! just asked about a change; and a number of pieces that she named. A model that is refused asks
//! her, and her "yes" is enough.
//!
//! **Invariant:** no text but the shopper's, and the question that she answers, counts here.

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
/// Words of taking something out, or of changing how many there are.
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
/// Words of a question that leaves a choice, which a name or a number answers.
const CHOICES: [&str; 10] = ["which", "what", "many", "or", "kaunsa", "kaunsi", "kitne", "कौन", "कितने", "या"];
/// The longest answer that counts as one.
const ANSWER_WORDS_MAX: usize = 8;
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
    /// Whether something may be taken out.
    lessens: bool,
    /// Whether she wants something not to be done.
    negates: bool,
    numbers: Vec<u64>,
}

impl Consent {
    /// What she asks for by `text`, after `history`.
    pub(super) fn of(history: &[Line], text: &str) -> Self {
        let reading = instruction::judge(text);
        let words = words(text);
        let mut numbers = numbers(&words);
        let last = history.last().filter(|line| line.by == Speaker::Assistant);
        let question = last.and_then(|line| question(&line.text));
        let question = question.unwrap_or_default();
        let answers = match reading.mood {
            Mood::Yes => true,
            // "The second one" answers "which?".
            Mood::Naming => {
                let choice = question.iter().any(|word| CHOICES.contains(&word.as_str()));
                choice && !reading.told.is_empty() && words.len() <= ANSWER_WORDS_MAX
            }
            _ => false,
        };
        let question = if answers { question } else { vec![] };
        numbers.extend(self::numbers(&question));
        let answered = question.iter().any(|word| ACTS.contains(&word.as_str()));
        let told = reading.told.iter().flat_map(|told| self::words(told));
        let lessens = told.chain(question).any(|word| LESSENS.contains(&word.as_str()));
        let negates = matches!(reading.mood, Mood::Negated | Mood::No);
        Self { wishes: reading.mood == Mood::Instruction || answered, lessens, negates, numbers }
    }

    /// Whether she asked for a change as `tool` makes one.
    pub(super) fn wishes(&self, tool: &str) -> bool {
        self.wishes && (self.lessens || tool != "remove_from_cart")
    }

    /// Whether she wants something not to be done.
    pub(super) const fn negates(&self) -> bool {
        self.negates
    }

    /// Whether she named as many pieces as `arguments` have; one needs no naming.
    pub(super) fn named(&self, arguments: &Json) -> bool {
        let pieces = arguments.get("quantity").or_else(|| arguments.get("qty")).and_then(Json::as_u64);
        pieces.is_none_or(|pieces| pieces <= 1 || self.numbers.contains(&pieces))
    }
}

/// The words of the last question in `text`, if it asks one.
fn question(text: &str) -> Option<Vec<String>> {
    let end = text.rfind('?')?;
    let start = text[..end].rfind(['.', '!', '?', '\n', '\u{964}']).map_or(0, |at| at + 1);
    text.get(start..end).map(words)
}

fn words(text: &str) -> Vec<String> {
    // The signs of Indic vowels and joined consonants are parts of words.
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
    fn her_own_words_ask_for_a_change() {
        for text in ["Add the blue mug", "I'll take it", "put 2 in my cart", "make it three", "buy the second one"] {
            assert!(Consent::of(&[], text).wishes("add_to_cart"), "{text}");
        }
        for text in ["find a mug", "do you have cups under 500?", "compare these", "hello", "is it in stock"] {
            assert!(!Consent::of(&[], text).wishes("add_to_cart"), "{text}");
        }
    }

    #[test]
    fn a_yes_counts_where_something_was_asked() {
        assert!(Consent::of(&asked("Shall I add 2 mugs?"), "yes").wishes("add_to_cart"));
        assert!(Consent::of(&asked("Which one, the blue or the red?"), "the second one").wishes("add_to_cart"));
        assert!(!Consent::of(&asked("Here are three mugs."), "nice").wishes("add_to_cart"));
        assert!(!Consent::of(&[], "sure").wishes("add_to_cart"));
        assert!(!Consent::of(&asked("Anything else?"), "show me some steel bottles under 500").wishes("add_to_cart"));
    }

    #[test]
    fn what_is_no_instruction_asks_for_no_change() {
        for (mood, phrase) in instruction::tests::phrases() {
            let acts = matches!(mood, Mood::Instruction | Mood::Yes | Mood::Naming);
            if !acts {
                let consent = Consent::of(&asked("Shall I add 2 mugs?"), phrase);
                assert!(!consent.wishes("add_to_cart") && !consent.wishes("remove_from_cart"), "{phrase}");
            }
            assert!(mood == Mood::Instruction || !Consent::of(&[], phrase).wishes("add_to_cart"), "{phrase}");
        }
        assert!(!Consent::of(&asked("Shall I tell you more about it?"), "yes").wishes("add_to_cart"));
        assert!(!Consent::of(&[], "add the mug").wishes("remove_from_cart"));
        assert!(Consent::of(&[], "remove the mug").wishes("remove_from_cart"));
        assert!(Consent::of(&asked("Shall I take the mug out of your cart?"), "yes").wishes("remove_from_cart"));
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
