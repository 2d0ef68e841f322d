//! Splits text into the words that are indexed and searched for.
//!
//! The same function reads products and queries, so that displayed text can be found: case, accents and ligatures do
//! not matter (`Café` is `cafe`), apostrophes join (`men's` is `mens`), an emoji is a separate word and all other
//! marks separate words. Compounds are indexed as one word as well (`Wi-Fi` is `wi`, `fi` and `wifi`, `5 m` is also
//! `5m`).
//!
//! **Invariant:** any text is split into words, each non-empty and at most [`WORD_MAX`] characters long; no text is
//! ever read as an operator.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest word, in characters; the rest of a longer one is ignored.
pub const WORD_MAX: usize = 40;

/// The words of `text` in their order, at most `limit`.
#[must_use]
pub fn words(text: &str, limit: usize) -> Vec<String> {
    parts(text, limit).into_iter().map(|(word, _)| word).collect()
}

/// The gap between a word and the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// White space alone.
    Space,
    /// One mark that joins, like a hyphen.
    Joint,
    /// Anything else, or nothing.
    Other,
}

/// The words of `text`, each with the gap before it.
fn parts(text: &str, limit: usize) -> Vec<(String, Gap)> {
    let mut parts = Vec::new();
    let mut word = Word::default();
    let (mut gap, mut between) = (Gap::Other, Between::default());
    for c in text.nfkd() {
        match Kind::of(c) {
            Kind::Letter => {
                if word.length == 0 {
                    gap = between.take(parts.is_empty());
                }
                word.push(c);
            }
            Kind::Ignored => {}
            Kind::Symbol => {
                word.take_into(gap, &mut parts);
                parts.push((c.to_string(), Gap::Other));
                between = Between { other: true, ..Between::default() };
            }
            Kind::Separator => {
                word.take_into(gap, &mut parts);
                between.push(c);
            }
        }
        if parts.len() >= limit {
            parts.truncate(limit);
            return parts;
        }
    }
    word.take_into(gap, &mut parts);
    parts
}

/// Marks that may occur within one word.
const JOINTS: &str = "-\u{2010}\u{2011}\u{2012}\u{2013}./_·&+";

#[derive(Default)]
struct Between {
    spaces: usize,
    joints: usize,
    other: bool,
}

impl Between {
    fn push(&mut self, c: char) {
        match c {
            c if c.is_whitespace() => self.spaces += 1,
            c if JOINTS.contains(c) => self.joints += 1,
            _ => self.other = true,
        }
    }

    fn take(&mut self, is_first: bool) -> Gap {
        let Self { spaces, joints, other } = std::mem::take(self);
        match (spaces, joints) {
            _ if other || is_first => Gap::Other,
            (0, 1) => Gap::Joint,
            (1.., 0) => Gap::Space,
            _ => Gap::Other,
        }
    }
}

/// The most parts of a compound.
const PARTS_MAX: usize = 4;
/// The longest unit after a number, in bytes.
const UNIT_MAX: usize = 3;

/// The words of `text` and their compounds; in titles also of short words separated by a space, as in `T shirt`.
fn indexed(text: &str, is_title: bool) -> Vec<String> {
    let parts = parts(text, usize::MAX);
    let mut found: Vec<String> = Vec::with_capacity(parts.len() + parts.len() / 4);
    let mut join = |run: &[(String, Gap)]| {
        let joined: String = run.iter().flat_map(|(word, _)| word.chars()).take(WORD_MAX).collect();
        found.push(joined);
    };
    for pair in parts.windows(2) {
        if let [(first, _), (second, gap)] = pair {
            let close = match gap {
                Gap::Joint => true,
                Gap::Space => is_measure(first, second) || is_title && is_split(first, second),
                Gap::Other => false,
            };
            if close {
                join(pair);
            }
        }
    }
    for run in parts.chunk_by(|_, (_, gap)| *gap == Gap::Joint) {
        if (3..=PARTS_MAX).contains(&run.len()) {
            join(run);
        }
    }
    found.extend(parts.into_iter().map(|(word, _)| word));
    found
}

/// A number and its unit.
fn is_measure(number: &str, unit: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit())
        && unit.len() <= UNIT_MAX
        && unit.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Two words so short that they may be one: `wi fi`, `usb c`, `e mail`.
fn is_split(first: &str, second: &str) -> bool {
    let letter = |word: &str| word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let article = first == "a" || first == "i";
    !article && (letter(first) || letter(second) || first.len() <= 2 && second.len() <= 2)
}

enum Kind {
    Letter,
    Ignored,
    Symbol,
    Separator,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\'' | '\u{2019}' | '\u{300}'..='\u{36f}' => Self::Ignored,
            '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => Self::Symbol,
            c if c.is_alphanumeric() || is_combining_mark(c) => Self::Letter,
            _ => Self::Separator,
        }
    }
}

#[derive(Default)]
struct Word {
    text: String,
    length: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        let ascii = match c {
            'ß' | 'ẞ' => "ss",
            'æ' | 'Æ' => "ae",
            'œ' | 'Œ' => "oe",
            'ø' | 'Ø' => "o",
            'đ' | 'Đ' | 'ð' | 'Ð' => "d",
            'ł' | 'Ł' => "l",
            'ı' => "i",
            'þ' | 'Þ' => "th",
            _ => "",
        };
        if ascii.is_empty() {
            c.to_lowercase().for_each(|c| self.push_plain(c));
        } else {
            ascii.chars().for_each(|c| self.push_plain(c));
        }
    }

    fn push_plain(&mut self, c: char) {
        if self.length < WORD_MAX {
            self.text.push(c);
            self.length += 1;
        }
    }

    fn take_into(&mut self, gap: Gap, parts: &mut Vec<(String, Gap)>) {
        if self.length > 0 {
            parts.push((std::mem::take(&mut self.text), gap));
            self.length = 0;
        }
    }
}

/// The tokenizer for tantivy.
#[derive(Clone, Default)]
pub struct WordTokenizer {
    /// Whether it is a title or a category, which are short.
    pub is_title: bool,
}

/// The words of one text.
pub struct Words {
    left: std::vec::IntoIter<String>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = Words;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Words {
        Words { left: indexed(text, self.is_title).into_iter(), token: Token::default() }
    }
}

impl TokenStream for Words {
    fn advance(&mut self) -> bool {
        let Some(word) = self.left.next() else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        self.token.text = word;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_ligatures_do_not_matter() {
        let all = |text| words(text, 100);
        assert_eq!(all("Café CRÈME"), ["cafe", "creme"]);
        assert_eq!(all("Straße Œuvre Łódź Ænima"), ["strasse", "oeuvre", "lodz", "aenima"]);
        assert_eq!(all("men's T-shirt (XL)"), ["mens", "t", "shirt", "xl"]);
        assert_eq!(all("<b>5\"</b> \0 AND OR title:x*"), ["b", "5", "b", "and", "or", "title", "x"]);
        assert_eq!(all("fire🔥sale"), ["fire", "🔥", "sale"]);
        assert_eq!(all("हिन्दी"), ["हिन्दी"]);
        assert_eq!(words("a b c", 2), ["a", "b"]);
    }

    #[test]
    fn what_is_written_in_parts_is_one_word_as_well() {
        let joined = |text| {
            let mut all = indexed(text, true);
            all.retain(|word| !words(text, 100).contains(word));
            all
        };
        for (text, one) in [
            ("Wi-Fi router", "wifi"),
            ("T‑shirt", "tshirt"),
            ("USB-C", "usbc"),
            ("E-mail", "email"),
            ("wi fi", "wifi"),
            ("T shirt", "tshirt"),
            ("Cable 5 m", "5m"),
            ("500 ml", "500ml"),
            ("B&W", "bw"),
        ] {
            assert_eq!(joined(text), [one], "{text}");
        }
        assert_eq!(joined("X-Box-360"), ["xbox", "box360", "xbox360"]);
        for text in ["A lamp", "Brass lamp", "Wi - Fi", "well, fine", "(t) shirt", "lamp 250"] {
            assert!(joined(text).is_empty(), "{text}: {:?}", joined(text));
        }
        assert_eq!(indexed("to be 5 m", false), ["5m", "to", "be", "5", "m"]);
    }

    proptest! {
        #[test]
        fn any_text_gives_bounded_words_that_are_stable(text in any::<String>(), limit in 0..20_usize) {
            let found = words(&text, limit);
            prop_assert!(found.len() <= limit);
            for word in found.iter().chain(&indexed(&text, true)) {
                prop_assert!((1..=WORD_MAX).contains(&word.chars().count()));
            }
        }
    }
}
