//! What is told to the shopper: sentence by sentence, each one checked before she sees it.
//!
//! **Invariant:** the text of a turn is exactly its deltas, one after the other, and none of them
//! was told unchecked.

use super::guard::Facts;
use crate::ws::agent::{Audience, Told};

/// A sentence that goes on for longer is told in parts.
const PART_MAX: usize = 600;
/// Words before whose point a sentence does not end.
const SHORT: [&str; 9] = ["rs", "no", "nos", "approx", "incl", "excl", "e.g", "i.e", "vs"];
/// What is told instead of what could not be checked.
const LEFT_OUT: &str = "(I left something out that I could not check. The cards and your cart show what is right.)";

/// The reply as far as it is told.
pub(super) struct Speech<'a> {
    audience: &'a dyn Audience,
    /// What is told.
    pub(super) text: String,
    /// What came and is no sentence yet.
    pending: String,
    /// Sentences that were withheld.
    pub(super) withheld: u32,
}

impl<'a> Speech<'a> {
    pub(super) fn new(audience: &'a dyn Audience) -> Self {
        Self { audience, text: String::new(), pending: String::new(), withheld: 0 }
    }

    /// Whether anything is told, or about to be.
    pub(super) fn began(&self) -> bool {
        !self.text.is_empty()
    }

    /// Takes a piece of the model's text and tells the sentences that it completes.
    pub(super) fn hear(&mut self, piece: &str, facts: &Facts) {
        self.pending.push_str(piece);
        while let Some(end) = end_of_sentence(&self.pending) {
            let sentence: String = self.pending.drain(..end).collect();
            self.check(&sentence, facts);
        }
    }

    /// The model has said what it has to say for now.
    pub(super) fn pause(&mut self, facts: &Facts) {
        let rest = std::mem::take(&mut self.pending);
        self.check(&rest, facts);
    }

    /// Forgets what is not told yet.
    pub(super) fn drop_pending(&mut self) {
        self.pending.clear();
    }

    fn check(&mut self, sentence: &str, facts: &Facts) {
        if sentence.trim().is_empty() {
            // Space between what is told, but none before it.
            if self.began() {
                self.say(sentence);
            }
        } else if let Some(doubt) = facts.doubt(sentence) {
            self.withheld += 1;
            metrics::counter!("agent_withheld_total", "what" => doubt).increment(1);
            tracing::debug!(what = doubt, "a sentence was withheld: no tool told what it tells");
        } else {
            self.say(sentence);
        }
    }

    /// Tells words of our own, as a paragraph.
    pub(super) fn add(&mut self, words: &str) {
        self.break_paragraph();
        self.say(words);
    }

    /// Ends the paragraph, if there is one.
    pub(super) fn break_paragraph(&mut self) {
        if self.began() && !self.text.ends_with('\n') {
            self.say("\n\n");
        }
    }

    /// Says that something was left out, if it was.
    pub(super) fn own_up(&mut self) {
        if self.withheld > 0 {
            self.add(LEFT_OUT);
        }
    }

    fn say(&mut self, words: &str) {
        if !words.is_empty() {
            self.text.push_str(words);
            self.audience.tell(Told::Delta(words.to_owned()));
        }
    }
}

/// Where the first sentence or line of `text` ends, its space included.
fn end_of_sentence(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let before = &text[..at];
        let ends = match char {
            '\n' => !ends_in_marker(before),
            '.' | '!' | '?' | '…' | '।' | '。' => {
                let space = chars.peek().is_some_and(|(_, next)| next.is_whitespace());
                space && !(char == '.' && abbreviates(before)) && !ends_in_marker(before)
            }
            _ => false,
        };
        if ends {
            let mut end = at + char.len_utf8();
            while let Some((_, space)) = chars.next_if(|(_, next)| *next == ' ') {
                end += space.len_utf8();
            }
            return Some(end);
        }
    }
    let long = text.len() > PART_MAX;
    let gap = |(at, _): &(usize, char)| {
        let word = text[..*at].trim_end();
        !ends_in_marker(word) && !word.ends_with(|last: char| last.is_numeric())
    };
    long.then(|| text.char_indices().filter(|(_, char)| *char == ' ').rfind(gap).map(|(at, _)| at + 1)).flatten()
}

fn abbreviates(before: &str) -> bool {
    let word = before.rsplit(|char: char| char.is_whitespace() || char == '(').next().unwrap_or_default();
    // "1. First thing" is not two sentences.
    let counts = !word.is_empty() && word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    SHORT.iter().any(|short| word.eq_ignore_ascii_case(short)) || counts && before.trim() == word
}

fn ends_in_marker(text: &str) -> bool {
    let text = text.trim_end_matches(|char: char| char.is_whitespace() || matches!(char, '*' | '_' | '.'));
    text.ends_with(['₹', '$', '€', '£'])
        || ["rs", "inr", "usd"].iter().any(|marker| {
            let word = text.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
            word.eq_ignore_ascii_case(marker)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        let (mut parts, mut rest) = (vec![], text);
        while let Some(end) = end_of_sentence(rest) {
            let (part, after) = rest.split_at(end);
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts
    }

    #[test]
    fn text_is_cut_where_sentences_end_and_never_within_an_amount() {
        assert_eq!(parts("Hello! It is Rs. 499.50 today. Fine"), ["Hello! ", "It is Rs. 499.50 today. ", "Fine"]);
        assert_eq!(parts("Two:\n1. Mug ₹1,200.00\n2. Cup"), ["Two:\n", "1. Mug ₹1,200.00\n", "2. Cup"]);
        assert_eq!(parts("only ₹\n499 now. x"), ["only ₹\n499 now. ", "x"]);
        assert_eq!(parts("cost INR\n499 now"), ["cost INR\n499 now"]);
    }

    #[test]
    fn a_sentence_without_end_is_cut_at_a_space_between_words() {
        let endless = "word ".repeat(200);
        let parts = parts(&endless);
        assert!(!parts.is_empty() && parts[..parts.len() - 1].iter().all(|part| part.ends_with(' ')));
        let price = format!("{} ₹ 499", "x".repeat(700));
        assert_eq!(end_of_sentence(&price), Some(701), "not between the sign and the number");
    }
}
