//! Splits a message into sentences and words, without quotations.
//!
//! **Invariant:** any text yields sentences, and every word has its position in the
//! prepared text.

use std::ops::Range;

use super::words;

/// Replaces a quotation in the prepared text.
pub(super) const QUOTED: char = '\u{1}';
/// The word for a comma, a colon, a dash or a parenthesis.
pub(super) const PAUSE: &str = ",";
/// The maximum length of a message in characters; a longer one contains no instruction.
pub(super) const CHARS_MAX: usize = 4_000;

/// A word of a sentence.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// Lower case, without apostrophes.
    pub(super) text: String,
    /// Its byte range in the prepared text.
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Sentence {
    pub(super) words: Vec<Word>,
    /// Whether it ends with a question mark.
    pub(super) is_question: bool,
    /// The number of words before its first colon.
    pub(super) label: Option<usize>,
}

/// The message in plain letters, with quoted instructions replaced by [`QUOTED`].
pub(super) fn prepare(message: &str) -> String {
    let plain: String = message.chars().take(CHARS_MAX).filter_map(plain).collect();
    let lines = plain.split('\n').map(|line| {
        // A quoted earlier mail or message.
        if line.trim_start().starts_with('>') { format!("{QUOTED}") } else { line.to_owned() }
    });
    without_quotes(&lines.collect::<Vec<_>>().join("\n"))
}

fn plain(letter: char) -> Option<char> {
    match letter {
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{202a}'..='\u{202e}' => None,
        QUOTED => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter).saturating_sub(0xfee0)),
        '\u{2019}' | '\u{2bc}' | '\u{b4}' | '\u{2032}' => Some('\''),
        '\u{2018}' | '\u{201b}' => Some('\u{2018}'),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{ab}' | '\u{bb}' => Some('"'),
        '\u{2010}' | '\u{2011}' => Some('-'),
        '\u{61f}' => Some('?'),
        other => Some(other),
    }
}

/// Replaces each quotation that could be an instruction; titles in quotation marks stay,
/// without the marks.
fn without_quotes(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        match opening(&letters, at) {
            Some(close) => {
                let end = (at + 1..letters.len()).find(|end| closing(&letters, *end, close));
                let inner: String = letters[at + 1..end.unwrap_or(letters.len())].iter().collect();
                if words::instructs(&inner) {
                    out.push(' ');
                    out.push(QUOTED);
                    out.push(' ');
                } else {
                    out.push(' ');
                    out.push_str(&inner);
                    out.push(' ');
                }
                at = end.unwrap_or(letters.len()) + 1;
            }
            None => {
                out.push(letter);
                at += 1;
            }
        }
    }
    out
}

/// The closing mark of the quotation that begins here.
fn opening(letters: &[char], at: usize) -> Option<char> {
    let before = at.checked_sub(1).and_then(|before| letters.get(before));
    let after = letters.get(at + 1)?;
    let begins = before.is_none_or(|before| !before.is_alphanumeric()) && !after.is_whitespace();
    match letters[at] {
        '"' if before.is_none_or(|before| !before.is_ascii_digit()) => Some('"'),
        '`' if begins => Some('`'),
        '\'' if begins && (at + 1..letters.len()).any(|end| closing(letters, end, '\'')) => Some('\''),
        // The closing mark of a pair has been converted to an apostrophe.
        '\u{2018}' if begins && (at + 1..letters.len()).any(|end| closing(letters, end, '\'')) => Some('\''),
        _ => None,
    }
}

fn closing(letters: &[char], at: usize, close: char) -> bool {
    let ends = || {
        letters.get(at + 1).is_none_or(|after| !after.is_alphanumeric())
            && at.checked_sub(1).and_then(|before| letters.get(before)).is_some_and(|before| !before.is_whitespace())
    };
    letters[at] == close && (close == '"' || ends())
}

/// The sentences of a prepared text.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let (mut sentences, mut sentence) = (vec![], Sentence::default());
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut at = 0;
    while let Some((start, letter)) = letters.get(at).copied() {
        if in_word(letter) {
            let used = letters[at..].iter().enumerate().take_while(|(n, (_, c))| {
                let next = letters.get(at + n + 1).is_some_and(|(_, next)| next.is_ascii_digit());
                in_word(*c)
                    || (is_apostrophe(*c) && letters.get(at + n + 1).is_some_and(|(_, next)| in_word(*next)))
                    || (matches!(c, '.' | ',') && next && letters[at + n - 1].1.is_ascii_digit())
            });
            let used = used.count();
            let end = letters.get(at + used).map_or(text.len(), |(end, _)| *end);
            sentence.words.push(Word { text: words::plain(&text[start..end]), at: start..end });
            at += used;
            continue;
        }
        match letter {
            '?' => sentence.is_question = true,
            QUOTED => sentence.words.push(Word { text: QUOTED.to_string(), at: start..start + 1 }),
            ':' => {
                sentence.label = sentence.label.or(Some(sentence.words.len()));
                pause(&mut sentence, start);
            }
            ',' | ';' | '\u{2013}' | '\u{2014}' | '(' | ')' | '/' | '*' | '|' | '=' => pause(&mut sentence, start),
            '-' if letters.get(at + 1).is_none_or(|(_, next)| next.is_whitespace()) => pause(&mut sentence, start),
            other => {
                if let Some(word) = words::of_sign(other) {
                    sentence.words.push(Word { text: word.to_owned(), at: start..start + other.len_utf8() });
                }
            }
        }
        at += 1;
        let ends = match letter {
            '?' | '!' => !letters.get(at).is_some_and(|(_, next)| matches!(next, '?' | '!')),
            '\n' | '\u{2026}' | '\u{964}' | '\u{3002}' => true,
            '.' => ends_sentence(&letters, at, &sentence),
            _ => false,
        };
        if ends && (!sentence.words.is_empty() || sentence.is_question) {
            sentences.push(std::mem::take(&mut sentence));
        }
    }
    if !sentence.words.is_empty() || sentence.is_question {
        sentences.push(sentence);
    }
    sentences
}

fn in_word(letter: char) -> bool {
    // Vowel signs and the virama are parts of Indic words.
    letter.is_alphanumeric() || matches!(letter, '\u{93c}' | '\u{94d}' | '\u{300}'..='\u{36f}')
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '\u{2018}' | '`')
}

fn pause(sentence: &mut Sentence, start: usize) {
    if sentence.words.last().is_some_and(|word| word.text != PAUSE) {
        sentence.words.push(Word { text: PAUSE.to_owned(), at: start..start + 1 });
    }
}

/// Whether the full stop before `at` ends a sentence; that of "rs." and "no. 2" does not.
fn ends_sentence(letters: &[(usize, char)], at: usize, sentence: &Sentence) -> bool {
    let digit_follows = letters[at..].iter().find(|(_, c)| *c != ' ').is_some_and(|(_, c)| c.is_ascii_digit());
    let short = sentence.words.last().is_some_and(|word| {
        matches!(word.text.as_str(), "rs" | "mr" | "mrs" | "dr" | "approx" | "qty")
            || (word.text == "no" && digit_follows)
    });
    !short
}
