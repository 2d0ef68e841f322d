//! Sends the reply sentence by sentence, after checking each of them.
//!
//! **Invariant:** the text of a turn is exactly the concatenation of its deltas, and none of them
//! was sent unchecked.

use super::guard::Grounding;
use crate::ws::agent::{ReplySink, TurnEvent};

/// A longer sentence is sent in parts.
const PART_MAX: usize = 600;
/// Abbreviations whose point does not end a sentence.
const SHORT: [&str; 9] = ["rs", "no", "nos", "approx", "incl", "excl", "e.g", "i.e", "vs"];
/// Replaces what could not be checked.
const LEFT_OUT: &str = "(I left something out that I could not check. The cards and your cart show what is right.)";

/// The reply as far as it was sent.
pub(super) struct Speech<'a> {
    sink: &'a dyn ReplySink,
    /// The text that was sent.
    pub(super) text: String,
    /// The text of an incomplete sentence.
    pending: String,
    /// The number of withheld sentences.
    pub(super) withheld: u32,
}

impl<'a> Speech<'a> {
    pub(super) fn new(sink: &'a dyn ReplySink) -> Self {
        Self { sink, text: String::new(), pending: String::new(), withheld: 0 }
    }

    /// Whether any text was sent.
    pub(super) fn began(&self) -> bool {
        !self.text.is_empty()
    }

    /// Adds a piece of the model's text and sends the sentences that it completes.
    pub(super) fn push(&mut self, piece: &str, grounding: &Grounding) {
        self.pending.push_str(piece);
        while let Some(end) = end_of_sentence(&self.pending) {
            let sentence: String = self.pending.drain(..end).collect();
            self.check(&sentence, grounding);
        }
    }

    /// Ends the current sentence, because the model has finished its text.
    pub(super) fn pause(&mut self, grounding: &Grounding) {
        let rest = std::mem::take(&mut self.pending);
        self.check(&rest, grounding);
    }

    /// Discards the incomplete sentence.
    pub(super) fn drop_pending(&mut self) {
        self.pending.clear();
    }

    fn check(&mut self, sentence: &str, grounding: &Grounding) {
        if sentence.trim().is_empty() {
            // Space is sent between sentences, but not before the first.
            if self.began() {
                self.say(sentence);
            }
        } else if let Some(ungrounded) = grounding.ungrounded(sentence) {
            self.withheld += 1;
            metrics::counter!("agent_withheld_total", "what" => ungrounded).increment(1);
            tracing::debug!(what = ungrounded, "a sentence was withheld because no tool returned its content");
        } else {
            self.say(sentence);
        }
    }

    /// Sends a text of the program as its own paragraph.
    pub(super) fn add(&mut self, words: &str) {
        self.break_paragraph();
        self.say(words);
    }

    /// Begins a new paragraph, unless nothing was sent yet.
    pub(super) fn break_paragraph(&mut self) {
        if self.began() && !self.text.ends_with('\n') {
            self.say("\n\n");
        }
    }

    /// Tells the user that something was left out, if so.
    pub(super) fn note_omissions(&mut self) {
        if self.withheld > 0 {
            self.add(LEFT_OUT);
        }
    }

    fn say(&mut self, words: &str) {
        if !words.is_empty() {
            self.text.push_str(words);
            self.sink.send(TurnEvent::Delta(words.to_owned()));
        }
    }
}

/// The end of the first sentence or line of `text`, including trailing spaces.
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
    // "1. First thing" is one sentence.
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
    fn text_is_split_at_sentences_and_never_within_an_amount() {
        assert_eq!(parts("Hello! It is Rs. 499.50 today. Fine"), ["Hello! ", "It is Rs. 499.50 today. ", "Fine"]);
        assert_eq!(parts("Two:\n1. Mug ₹1,200.00\n2. Cup"), ["Two:\n", "1. Mug ₹1,200.00\n", "2. Cup"]);
        assert_eq!(parts("only ₹\n499 now. x"), ["only ₹\n499 now. ", "x"]);
        assert_eq!(parts("cost INR\n499 now"), ["cost INR\n499 now"]);
    }

    #[test]
    fn a_sentence_without_end_is_split_at_a_space() {
        let endless = "word ".repeat(200);
        let parts = parts(&endless);
        assert!(!parts.is_empty() && parts[..parts.len() - 1].iter().all(|part| part.ends_with(' ')));
        let price = format!("{} ₹ 499", "x".repeat(700));
        assert_eq!(end_of_sentence(&price), Some(701), "not between the sign and the number");
    }
}
