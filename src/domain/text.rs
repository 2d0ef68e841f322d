//! User input: which characters are visible, and whether it contains links.
//!
//! A character is invisible here if it is white space, a control or format character, or one that Unicode says to
//! ignore or shows as a blank. Such characters are kept within a text (emoji and several scripts need some of them)
//! and trimmed at its ends.
//!
//! The Unicode properties come from `icu_properties`.

use std::borrow::Cow;

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{BidiClass, DefaultIgnorableCodePoint, GeneralCategory},
};
use unicode_normalization::UnicodeNormalization;

/// The message for text with a link, which mails and pages would show to others.
pub const NO_PAGE: &str = "must not carry the address of a page";
/// The message for a line break or another control character.
pub const ONE_LINE: &str = "must be on one line, without control characters";

/// The form for comparing words: without invisible characters at the ends and in lower case. For e-mail addresses and
/// user names there is [`super::identity`].
#[must_use]
pub fn fold(text: &str) -> String {
    trim_invisible(text).to_lowercase()
}

/// Whether `c` is invisible: `White_Space`, `Default_Ignorable_Code_Point`, Cc, Cf, and the letters and symbols that
/// are drawn blank.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    // The fast path for most text.
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

/// `text` without the invisible characters at its ends; empty if nothing is visible.
#[must_use]
pub fn trim_invisible(text: &str) -> &str {
    text.trim_matches(is_invisible)
}

/// `text` trimmed of invisible characters, for text that must be visible: `None` if nothing is left.
#[must_use]
pub fn visible(text: &str) -> Option<&str> {
    Some(trim_invisible(text)).filter(|seen| !seen.is_empty())
}

/// As [`visible`], for text that may be absent: an empty text is returned unchanged, and one with only invisible
/// characters is still `None`.
#[must_use]
pub fn visible_or_empty(text: &str) -> Option<&str> {
    if text.is_empty() { Some(text) } else { visible(text) }
}

/// Whether a name carries the address of a page or of a mailbox, which a mail program would turn into a link:
/// `scheme://`, `www.`, a host name with a path, a query or a port behind it, a host name alone, also one of
/// symbols (`☃.net`), or an IP address.
///
/// A host name alone ends with a top-level domain (the public suffix list knows them): `evil.com`, also written `evil
/// .com`. `St.John` and `J.R.` have none. Some names have one. They count as names if only initials and honorifics
/// come before, and the last part is a family name that is also a country's domain: `Dr.Li` and `M.K.De`, but not
/// `X.Com`, `T.Co`, `J.Mp` or `Kapil.Dev`. So are academic degrees: `B.Com`, `M.Tech`.
#[must_use]
pub fn carries_page_address(text: &str) -> bool {
    let plain = as_taken(text);
    plain.to_lowercase().split_whitespace().any(|word| is_page_address(word) || has_ip_v6(word))
        || plain.split_whitespace().any(|word| hosts(word).any(|host| host.is_of_a_page()))
        || has_spaced_host(&plain)
}

/// Whether a line of an address carries a link. Lines have full stops without a space behind them (`Opp.Bank`,
/// `D.No:5-6`), so only patterns that do not occur on parcels count: `scheme://`, `www.`, a mailbox, a host name
/// under one of the large domains, or one with a path of letters.
#[must_use]
pub fn carries_link(text: &str) -> bool {
    let plain = as_taken(text);
    let is_marked = |word: &str| {
        word.contains("://")
            || ["mailto:", "javascript:"].iter().any(|scheme| starts_within(word, scheme))
            || starts_within(word, "www.")
    };
    plain.to_lowercase().split_whitespace().any(is_marked)
        || plain.split_whitespace().any(|word| hosts(word).any(|host| host.is_of_a_link()))
}

/// `text` with an ellipsis in place of each word that carries the address of a page.
#[must_use]
pub fn without_page_addresses(text: &str) -> Cow<'_, str> {
    without(text, carries_page_address)
}

/// `text` with an ellipsis in place of each word that carries a link, as [`carries_link`] has it.
#[must_use]
pub fn without_links(text: &str) -> Cow<'_, str> {
    without(text, carries_link)
}

/// Whether `text` has a line break or another control character, which nothing on one line has. Those that turn
/// the direction of text are among them; a mark of direction is fine in text that is written from right to left.
#[must_use]
pub fn has_control(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let is_mark = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{61C}');
    text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || turns(c))
        || (text.contains(is_mark) && !text.chars().any(|c| !is_mark(c) && is_from_right_to_left(c)))
}

fn is_from_right_to_left(c: char) -> bool {
    matches!(CodePointMapData::<BidiClass>::new().get(c), BidiClass::RightToLeft | BidiClass::ArabicLetter)
}

fn without(text: &str, carries: fn(&str) -> bool) -> Cow<'_, str> {
    if !carries(text) {
        return Cow::Borrowed(text);
    }
    let words = text.split_whitespace().map(|word| if carries(word) { "…" } else { word });
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// `text` as a mail program or a reader would interpret it: full-width letters and dots become plain ones, and so do
/// marks that look like those of an address.
fn as_taken(text: &str) -> String {
    let plain = text.chars().filter(|c| !is_invisible(*c) || c.is_whitespace()).nfkc();
    plain
        .map(|c| match c {
            '\u{3002}' | '\u{FF61}' => '.',
            '\u{2215}' | '\u{2044}' | '\u{29F8}' => '/',
            '\u{2236}' | '\u{A789}' => ':',
            c => c,
        })
        .collect()
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

/// Whether `word` contains `start` without a letter or digit before it.
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

/// Domains that are open to registration; no person's name ends like this.
const LARGE: [&str; 5] = ["com", "net", "org", "info", "biz"];
/// Top-level domains without a registry, which still count as addresses (RFC 2606, RFC 7686).
const RESERVED: [&str; 5] = ["example", "test", "invalid", "localhost", "onion"];
/// The family names that are top-level domains of countries, without those that are open to anyone or used for short
/// links (`co`, `io`, `ly`, `me`, ...).
const FAMILY: [&str; 22] = [
    "ba", "bo", "de", "do", "ge", "gu", "hu", "ky", "li", "lu", "ma", "mo", "na", "ne", "ng", "ni", "pa", "ro", "sa",
    "su", "vu", "ye",
];
/// Academic degrees that have a top-level domain.
const DEGREES: [(&str, &str); 8] =
    [("B", "com"), ("M", "com"), ("B", "tech"), ("M", "tech"), ("B", "sc"), ("M", "sc"), ("D", "sc"), ("M", "ch")];
/// Honorifics before a name, with a full stop.
const HONORIFICS: [&str; 29] = [
    "Adv", "Capt", "Col", "Dr", "Er", "Fr", "Ft", "Gen", "Hon", "Jr", "Kum", "Lt", "Maj", "Md", "Mr", "Mrs", "Ms",
    "Mt", "Mx", "Prof", "Rev", "Shri", "Smt", "Sr", "Sri", "St", "Sta", "Ste", "Ven",
];

/// Labels with dots between them, within a word.
struct Host<'a> {
    labels: Vec<&'a str>,
    /// Whether it follows an `@`.
    is_of_mailbox: bool,
    /// The rest after it, from the first character that a host name cannot have.
    behind: &'a str,
}

/// The part of `word` that may be a host name: at least two labels.
fn hosts(word: &str) -> impl Iterator<Item = Host<'_>> {
    let is_host = |c: char| {
        use GeneralCategory::{
            CurrencySymbol, EnclosingMark, MathSymbol, ModifierSymbol, NonspacingMark, OtherSymbol, SpacingMark,
        };
        let is_mark = || matches!(CodePointMapData::new().get(c), NonspacingMark | SpacingMark | EnclosingMark);
        // There are hosts with names of emoji.
        let is_symbol =
            || matches!(CodePointMapData::new().get(c), OtherSymbol | MathSymbol | ModifierSymbol | CurrencySymbol);
        c.is_alphanumeric() || matches!(c, '.' | '-') || (!c.is_ascii() && (is_mark() || is_symbol()))
    };
    let mut rest = word;
    std::iter::from_fn(move || {
        let start = rest.find(is_host)?;
        let (before, from) = rest.split_at(start);
        let (run, behind) = from.split_at(from.find(|c| !is_host(c)).unwrap_or(from.len()));
        rest = behind;
        let labels = run.split('.').filter(|label| !label.is_empty()).collect();
        Some(Host { labels, is_of_mailbox: before.ends_with('@'), behind })
    })
    .filter(|host| host.labels.len() >= 2)
}

impl Host<'_> {
    /// Whether it is a host name, and not a name with dots.
    fn is_of_a_page(&self) -> bool {
        let Some((last, before)) = self.labels.split_last() else { return false };
        let is_known = || tops(last).any(is_top_level);
        self.is_ip_v4()
            || self.is_under_a_large_domain()
            || (is_known() && (self.is_of_mailbox || !(self.is_degree() || is_name(before, last))))
    }

    /// Whether it is a host name that does not occur in postal addresses.
    fn is_of_a_link(&self) -> bool {
        let last = self.labels.last().copied().unwrap_or_default();
        let has_path = self.behind.strip_prefix('/').is_some_and(|path| path.starts_with(char::is_alphabetic));
        let is_lower = last != "no" && !last.starts_with(char::is_uppercase);
        let is_known = || tops(last).any(is_top_level);
        self.is_under_a_large_domain()
            || (self.is_of_mailbox && is_known())
            || (has_path && (self.is_ip_v4() || (is_lower && is_known())))
    }

    /// Whether a label after the first is `com` or the like, even with more after it (`evil.com.Claim`); but `B.Com`
    /// is a degree.
    fn is_under_a_large_domain(&self) -> bool {
        let is_large = |label: &&str| tops(label).any(|top| LARGE.contains(&&*top.to_lowercase()));
        self.labels.iter().skip(1).any(is_large) && (self.is_of_mailbox || !self.is_degree())
    }

    fn is_degree(&self) -> bool {
        let [before, last] = self.labels[..] else { return false };
        let is_it = |(first, rest): &(&str, &str)| *first == before && rest.eq_ignore_ascii_case(last);
        last.starts_with(char::is_uppercase) && DEGREES.iter().any(is_it)
    }

    /// Whether it is four numbers of a byte each.
    fn is_ip_v4(&self) -> bool {
        let is_byte = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit()) && label.parse::<u8>().is_ok();
        self.labels.len() == 4 && self.labels.iter().all(is_byte)
    }
}

/// The possible top-level domains in the last label: all of it, or its leading ASCII letters, because some scripts
/// have no spaces.
fn tops(label: &str) -> impl Iterator<Item = &str> {
    let ascii = label.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(label.len());
    [label, &label[..ascii]].into_iter()
}

fn is_top_level(label: &str) -> bool {
    let label = label.to_lowercase();
    // For top-level domains with registrations only at the third level, the list has no rule for the top level
    // itself.
    let is_listed = || psl::suffix(format!("a.a.{label}").as_bytes()).is_some_and(|suffix| suffix.is_known());
    label.chars().count() >= 2 && (RESERVED.contains(&&*label) || is_listed())
}

/// Whether `before.last` is a name: initials and honorifics, and a family name with a capital letter.
fn is_name(before: &[&str], last: &str) -> bool {
    let is_before_a_name = |part: &&str| is_initial(part) || HONORIFICS.contains(part);
    let is_family = |top: &str| FAMILY.contains(&&*top.to_lowercase());
    last.starts_with(char::is_uppercase)
        && before.iter().all(is_before_a_name)
        && tops(last).filter(|top| is_top_level(top)).all(is_family)
}

/// Whether `word` contains an IPv6 address, with or without brackets.
fn has_ip_v6(word: &str) -> bool {
    let mut parts = word.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.'));
    // Without a number it may be two words.
    parts.any(|part| part.contains(|c: char| c.is_ascii_digit()) && part.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_initial(part: &str) -> bool {
    let mut letters = part.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_none()
}

/// Whether the text contains a host name with a space at its dot: `evil .com`, and under the large domains `evil.
/// com` too.
fn has_spaced_host(plain: &str) -> bool {
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.windows(2).enumerate().any(|(at, pair)| {
        let before = if pair[0] == "." { at.checked_sub(1).map(|at| words[at]) } else { Some(pair[0]) };
        let Some(before) = before else { return false };
        let is_parted = pair[0].ends_with('.');
        let label = if is_parted { Some(pair[1]) } else { pair[1].strip_prefix('.') };
        let label = label.and_then(|label| tops(label).last()).unwrap_or_default();
        let is_lower = label.starts_with(char::is_lowercase);
        let is_large = LARGE.contains(&&*label.to_lowercase());
        let name = before.trim_end_matches('.');
        let is_short = name.chars().count() < 2 || HONORIFICS.contains(&name);
        is_lower && !is_short && if is_parted { is_large } else { is_large || is_top_level(label) }
    })
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
    fn names_with_urls_are_distinguished_from_names_with_dots() {
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
            "evil.example",
            "claim at evil.example.",
            "(evil.example)",
            "x@evil.example",
            "x@Dr.Example",
            "Evil.Example",
            "evil。example",
            "ｅｖｉｌ．ｅｘａｍｐｌｅ",
            "evil｡example",
            "evil\u{2024}example",
            "evil.ex\u{200B}ample",
            "bücher.example",
            "点击evil.example领奖",
            "☃.Example",
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
            "J.R.R. Tolkien",
            "J.R.R.Tolkien",
            "Ph.D.",
            "Sr.",
            "Dr.Smith",
            "Dr.Li",
            "St.Li-Wang",
            "A.P.J.Abdul Kalam",
            "M.K.Gandhi",
            "M.K.De",
            "S.K.MA",
            "Dr. Li",
            "Asha Rao B.Com",
            "ASHA RAO, B.COM (HONS)",
            "Ravi B.Tech M.Sc.",
            "Dr.M.K.Li",
            "1.2.3",
            "10:30",
            "Ada::Bee",
            "★ Asha ★",
            "Md.Ali",
            "Dr.Md.Ali",
            "jane.de.vries",
            "Mr. Com",
            "É.Li",
            "Col·lell",
            "x@home",
        ] {
            assert!(!carries_page_address(name), "{name}");
        }
        for address in [
            "evil.com",
            "Evil.Com",
            "EVIL.COM",
            "Dr.Com",
            "evil.co.uk",
            "evil..com",
            "dr.li",
            "Jane.Li",
            "amit.dev",
            "evil.com.Claim",
            "evil.com-offer",
            "evil.ck",
            "evil.xn--p1ai",
            "xn--80ak6aa92e.com",
            "почта.рф",
            "उदाहरण.भारत",
            "例.中国",
            "evil.இந்தியா",
            "x@evil.com",
            "x@Dr.Li",
            "\"x\"@evil.com",
            "claim at evil .com",
            "claim at evil .li",
            "claim at evil . com",
            "claim at evil. com now",
            "A evil.com B",
            "evil.com,",
            "evil.com's",
            "evil.com_x",
            "evil.onion",
            "X.Com",
            "x.com",
            "A.B.Com",
            "A.B.Tech",
            "B.com",
            "B.Com/x",
            "x@B.Com",
            "T.Co",
            "J.Mp",
            "W.Me",
            "B.Ly",
            "Z.Io",
            "V.Gd",
            "Dr.Co",
            "Kapil.Dev",
            "K.Dev",
            "Anna.K.De",
            "Dr.Jane.Li",
            "☃.net",
            "i❤.ws",
            "i❤\u{FE0F}.ws",
            "💩.la",
            "💩.La",
            "👍🏽.ws",
            "1\u{FE0F}\u{20E3}.ws",
            "93.184.216.34",
            "(93.184.216.34)",
            "192.168.0.1",
            "192.168.0.1.",
            "[2001:db8::1]",
            "2001:db8::1",
            "::1",
            "[::ffff:93.184.216.34]",
        ] {
            assert!(carries_page_address(address), "{address}");
        }
        assert_eq!(without_page_addresses("Lamp, see http://evil.example/x today"), "Lamp, see … today");
    }

    #[test]
    fn lines_of_an_address_have_dots_and_no_links() {
        for line in [
            "D.No:5-6-7, M.G.Road",
            "H.no/12",
            "Plot.No 5 Opp.Shop 12",
            "nr.bank",
            "Church.St",
            "St.John's Rd.",
            "c/o A.K.De",
            "12//3",
            "Flat #4/B: 2nd floor",
            "Shop@Mall 5",
            "1.5 km from N.H.44",
            "Survey 12.3.4.5",
            "Dr.K.De ★ B.Com",
        ] {
            assert!(!carries_link(line), "{line}");
            assert_eq!(without_links(line), line);
        }
        for link in [
            "Claim at http://evil.example/x",
            "hxxp://evil",
            "www.evil.li",
            "evil.com",
            "evil。com/x",
            "x@evil.li",
            "evil.li/claim",
            "mailto:x@evil.li",
            "javascript:alert(1)",
            "93.184.216.34/evil",
            "☃evil.net",
            "X.Com/evil",
        ] {
            assert!(carries_link(link), "{link}");
            assert!(!without_links(&format!("12 Lake Road {link}")).contains("evil"), "{link}");
        }
        assert!(has_control("a\r\nb") && has_control("a\tb") && has_control("a\u{85}b") && has_control("a\u{2028}b"));
        assert!(!has_control("a b\u{200D}c\u{A0}d"));
    }

    #[test]
    fn what_turns_the_direction_of_text_is_a_control_character() {
        for c in ('\u{202A}'..='\u{202E}').chain('\u{2066}'..='\u{2069}') {
            assert!(has_control(&format!("Asha {c}Rao")) && has_control(&format!("علی{c} رضا")), "{c:?}");
        }
        for c in ['\u{200E}', '\u{200F}', '\u{61C}'] {
            assert!(has_control(&format!("Asha{c}Rao")), "{c:?} changes nothing there");
            assert!(!has_control(&format!("יוסי (Yossi){c} לוי")), "{c:?}");
        }
        // The joiners that Persian and Indic names are written with.
        for name in ["می\u{200C}نا", "ක්\u{200D}රිස්", "রা\u{200C}ও"] {
            assert!(!has_control(name) && !carries_page_address(name), "{name}");
        }
    }
}
