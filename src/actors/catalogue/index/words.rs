//! How text becomes the words that are indexed and searched for.
//!
//! The same function reads products and queries, so that what is shown can be found: case,
//! accents and ligatures do not matter (`Café` is `cafe`), apostrophes join (`men's` is
//! `mens`), an emoji is a word of its own and all other marks part words.
//!
//! **Invariant:** any text at all gives words, each non-empty and at most [`WORD_MAX`]
//! characters; nothing in it is ever read as an operator.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest word, in characters; the rest of a longer one is ignored.
pub const WORD_MAX: usize = 40;

/// The words of `text` in their order, at most `limit`.
#[must_use]
pub fn words(text: &str, limit: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = Word::default();
    for c in text.nfkd() {
        match Kind::of(c) {
            Kind::Letter => word.push(c),
            Kind::Ignored => {}
            Kind::Symbol => {
                word.take_into(&mut words);
                words.push(c.to_string());
            }
            Kind::Separator => word.take_into(&mut words),
        }
        if words.len() >= limit {
            words.truncate(limit);
            return words;
        }
    }
    word.take_into(&mut words);
    words
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

    fn take_into(&mut self, words: &mut Vec<String>) {
        if self.length > 0 {
            words.push(std::mem::take(&mut self.text));
            self.length = 0;
        }
    }
}

/// Gives tantivy the words of a field.
#[derive(Clone, Default)]
pub struct WordTokenizer;

/// The words of one text.
pub struct Words {
    left: std::vec::IntoIter<String>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = Words;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Words {
        Words { left: words(text, usize::MAX).into_iter(), token: Token::default() }
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

    proptest! {
        #[test]
        fn any_text_gives_bounded_words_that_are_stable(text in any::<String>(), limit in 0..20_usize) {
            let found = words(&text, limit);
            prop_assert!(found.len() <= limit);
            for word in &found {
                prop_assert!((1..=WORD_MAX).contains(&word.chars().count()));
            }
        }
    }
}
