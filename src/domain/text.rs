//! Text that people type: what of it can be seen, and whether it names a page.
//!
//! A character is invisible here if it is white space, a control or format character, or one
//! that Unicode says to ignore or shows as a blank. Such a character within a text is left
//! alone (emoji and several scripts need some of them); at the ends of a text it is nothing.
//!
//! The properties are those of Unicode as `icu_properties` has them.

use std::borrow::Cow;

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};
use unicode_normalization::UnicodeNormalization;

/// The form in which words are compared: without invisible characters at the ends and in lower case. For
/// e-mail addresses and user names there is [`super::identity`].
#[must_use]
pub fn fold(text: &str) -> String {
    trim_invisible(text).to_lowercase()
}

/// Whether `c` shows nothing by itself: `White_Space`, `Default_Ignorable_Code_Point`, Cc, Cf, and
/// the letters and symbols that are drawn blank.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    // Most text is this.
    if c.is_ascii_graphic() {
        return false;
    }
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{2800}' | '\u{3164}' | '\u{115F}' | '\u{1160}' | '\u{FFA0}')
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::Format
}

/// Whether an invisible character is anywhere in `text`.
#[must_use]
pub fn has_invisible(text: &str) -> bool {
    text.chars().any(is_invisible)
}

/// `text` without the invisible characters at its ends; empty when nothing of it can be seen.
#[must_use]
pub fn trim_invisible(text: &str) -> &str {
    text.trim_matches(is_invisible)
}

/// `text` trimmed of invisible characters, for text that must be seen: `None` when nothing is
/// left of it.
#[must_use]
pub fn visible(text: &str) -> Option<&str> {
    Some(trim_invisible(text)).filter(|seen| !seen.is_empty())
}

/// As [`visible`], for text that may be absent: an empty text is given back as it is, and one
/// that has only invisible characters is still `None`.
#[must_use]
pub fn visible_or_empty(text: &str) -> Option<&str> {
    if text.is_empty() { Some(text) } else { visible(text) }
}

/// Whether `text` carries the address of a page, which a mail program would turn into a link:
/// `scheme://`, `www.`, or a host name with a path, a query or a port behind it. Dots alone are no
/// address: `St.John` and `J.R.` are names.
#[must_use]
pub fn carries_page_address(text: &str) -> bool {
    // As a mail program or a reader would take it: full-width letters and dots are the plain ones.
    let plain: String = text.chars().filter(|c| !is_invisible(*c) || c.is_whitespace()).nfkc().collect();
    let plain = plain.to_lowercase().replace(['\u{3002}', '\u{FF61}'], ".");
    // Marks that look like those of an address.
    let plain = plain.replace(['\u{2215}', '\u{2044}', '\u{29F8}'], "/").replace(['\u{2236}', '\u{A789}'], ":");
    plain.split_whitespace().any(is_page_address)
}

/// `text` with an ellipsis in place of each word that carries the address of a page.
#[must_use]
pub fn without_page_addresses(text: &str) -> Cow<'_, str> {
    if !carries_page_address(text) {
        return Cow::Borrowed(text);
    }
    let words = text.split_whitespace().map(|word| if carries_page_address(word) { "…" } else { word });
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

fn is_page_address(word: &str) -> bool {
    word.contains("://")
        || word.starts_with("//")
        || ["mailto:", "javascript:", "data:"].iter().any(|scheme| starts_within(word, scheme))
        || starts_within(word, "www.")
        || word.match_indices(['/', '?', '#', ':', '\\']).any(|(at, mark)| {
            let (before, behind) = (&word[..at], &word[at + mark.len()..]);
            let port = mark != ":" || behind.starts_with(|c: char| c.is_ascii_digit());
            port && ends_with_host(before)
        })
}

/// Whether `start` stands in `word` where no letter or digit is before it.
fn starts_within(word: &str, start: &str) -> bool {
    word.match_indices(start).any(|(at, _)| !word[..at].ends_with(char::is_alphanumeric))
}

/// Whether `text` ends with a host name that has a dot and a top level of letters, or an
/// address of four numbers.
fn ends_with_host(text: &str) -> bool {
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let host = text.rsplit(|c: char| !is_host(c)).next().unwrap_or_default().trim_end_matches('.');
    let mut labels = host.rsplit('.');
    let top = labels.next().unwrap_or_default();
    let named = top.chars().count() >= 2 && top.chars().all(|c| c.is_alphanumeric() || c == '-');
    let numbered = host.parse::<std::net::Ipv4Addr>().is_ok();
    numbered
        || (named && !top.chars().all(|c| c.is_ascii_digit()) && labels.next().is_some_and(|label| !label.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_invisible() {
        let blank = [
            ' ',
            '\t',
            '\n',
            '\u{0}',
            '\u{7F}',
            '\u{85}',
            '\u{A0}',
            '\u{AD}',
            '\u{34F}',
            '\u{61C}',
            '\u{115F}',
            '\u{1160}',
            '\u{1680}',
            '\u{17B4}',
            '\u{180E}',
            '\u{2003}',
            '\u{200B}',
            '\u{200C}',
            '\u{200D}',
            '\u{200E}',
            '\u{2028}',
            '\u{202E}',
            '\u{2060}',
            '\u{2066}',
            '\u{206F}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFF9}',
            '\u{1D173}',
            '\u{E0001}',
            '\u{E0100}',
        ];
        for c in blank {
            assert!(is_invisible(c), "{c:?}");
        }
        for c in "aZ0-_é日ß٣ñ€😀\u{301}\u{E000}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn text_is_trimmed_of_the_invisible_at_both_ends_alone() {
        assert_eq!(visible("\u{200B}\u{3164} Lamp\u{200D}shade\u{2800}\n"), Some("Lamp\u{200D}shade"));
        assert_eq!(visible("é"), Some("é"));
        for nothing in ["", " ", "\u{200B}", "\u{2800}\u{3164}", "\u{115F}\u{1160}\u{FFA0}", "\u{FEFF}\u{E0020}"] {
            assert_eq!((visible(nothing), trim_invisible(nothing)), (None, ""), "{nothing:?}");
        }
        assert_eq!((visible_or_empty(""), visible_or_empty("\u{200B}")), (Some(""), None));
        assert!(has_invisible("a\u{200B}b") && has_invisible("a b") && !has_invisible("añb"));
    }

    #[test]
    fn names_with_addresses_of_pages_are_told_from_names_with_dots() {
        for address in [
            "You won! Claim at http://evil.example/x",
            "HTTPS://EVIL.EXAMPLE",
            "ftp://x",
            "www.evil.example",
            "(WWW.evil.example)",
            "evil.example/x",
            "evil.example/",
            "see evil.co.uk?x=1 now",
            "evil.example#top",
            "evil.example:8080",
            "//evil.example",
            "127.0.0.1/x",
            "ｅｖｉｌ．ｅｘａｍｐｌｅ／ｘ",
            "evil。example/x",
            "ht\u{200B}tp://evil.example",
            "evil.ex\u{2060}ample/x",
            "bücher.example/x",
            "http∕∕evil.example∕x",
            "http:∕∕evil.example∕x",
            "http∶//evil.example",
            "javascript:alert(1)//evil.example",
            "mailto:x@evil.example",
        ] {
            assert!(carries_page_address(address), "{address}");
            assert!(!without_page_addresses(address).contains("xample"), "{address}");
        }
        for name in [
            "J.R.",
            "O'Neil",
            "St.John",
            "Jean-Luc",
            "Dr. No",
            "A/B",
            "and/or",
            "c/o",
            "w.w.",
            "Jane: x",
            "3.5/4",
            "1.5:2",
            "jane.doe",
            "awww.",
            "N/A",
            "Lamp 1.2/3.4",
        ] {
            assert!(!carries_page_address(name), "{name}");
        }
        assert_eq!(without_page_addresses("Lamp, see http://evil.example/x today"), "Lamp, see … today");
    }
}
