//! Normalised forms of e-mail addresses, user names and passwords.
//!
//! The user's input is stored for display; comparisons, lookups and limits use the forms made here. Of an e-mail
//! address the domain counts in its IDNA form (UTS 46) and the local part in Unicode lower case, provided that it is
//! in NFKC: so `K` (the Kelvin sign) is never a `k`. A password counts as RFC 8265 has it (`OpaqueString`).
//!
//! **Invariant:** all inputs that mean the same user have the same key, and different users have different keys.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfkc};

use super::text::{carries_page_address, has_invisible};

/// The longest e-mail address, in bytes.
const EMAIL_MAX: usize = 254;
/// The longest password that is processed, in bytes: enough for 128 characters in any form.
pub const PASSWORD_BYTES_MAX: usize = 4_096;
/// The longest local part, in bytes.
const LOCAL_MAX: usize = 64;

/// Whether `text` is an e-mail address that mail can be sent to: one `@`, a dotted host that
/// IDNA knows, a local part in NFKC, at most 254 bytes, and nothing invisible.
#[must_use]
pub fn is_email(text: &str) -> bool {
    canonical_email(text).is_some()
}

/// The normalised form of an e-mail address. A text that is not a valid address has one as well, which no address
/// has, so that older accounts can still be found.
#[must_use]
pub fn email_key(text: &str) -> String {
    let text = typed(text);
    canonical_email(text).unwrap_or_else(|| text.to_ascii_lowercase())
}

/// The domain of an e-mail address as mail servers know it: `bücher.example` is
/// `xn--bcher-kva.example`.
#[must_use]
pub fn email_domain(text: &str) -> Option<String> {
    canonical_email(text)?.rsplit_once('@').map(|(_, host)| host.to_owned())
}

fn canonical_email(text: &str) -> Option<String> {
    let (local, host) = text.rsplit_once('@')?;
    let safe = |c: char| !"<>()[]\\,;:\"@".contains(c);
    let well_formed = text.len() <= EMAIL_MAX
        && !local.is_empty()
        && local.len() <= LOCAL_MAX
        && !has_invisible(text)
        && local.chars().all(safe)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && is_nfkc(local);
    if !well_formed {
        return None;
    }
    let strict = (AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    let host = Uts46::new().to_ascii(host.as_bytes(), strict.0, strict.1, strict.2).ok()?;
    // A host with one label, or with only digits, is not a mail domain.
    let (_, top) = host.rsplit_once('.')?;
    if top.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Lower case may leave NFKC: `H` with a line below is two characters, `h` with it is one.
    let local: String = local.to_lowercase().nfkc().collect();
    let email = format!("{local}@{host}");
    (email.len() <= EMAIL_MAX).then_some(email)
}

/// Whether `text` may be a user name: 3 to 32 of `[A-Za-z0-9_.-]`.
#[must_use]
pub fn is_username(text: &str) -> bool {
    (3..=32).contains(&text.len()) && text.bytes().all(is_username_byte)
}

fn is_username_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// User names in the name of the shop, its staff or its machines.
const RESERVED: [&str; 52] = [
    "abuse",
    "accounts",
    "admin",
    "administrator",
    "admins",
    "aibuddy",
    "anonymous",
    "api",
    "assistant",
    "billing",
    "buddy",
    "contact",
    "customercare",
    "customerservice",
    "everyone",
    "helpdesk",
    "hostmaster",
    "info",
    "legal",
    "mailerdaemon",
    "microbazaar",
    "mod",
    "moderation",
    "moderator",
    "moderators",
    "noreply",
    "null",
    "official",
    "operator",
    "orders",
    "owner",
    "payments",
    "postmaster",
    "privacy",
    "refunds",
    "root",
    "sales",
    "security",
    "service",
    "staff",
    "su",
    "sudo",
    "superadmin",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "team",
    "undefined",
    "webmaster",
    "www",
    "help",
];
/// Words that do not make another name of a reserved one: `the-support-team`.
const BESIDE_RESERVED: [&str; 10] = ["account", "center", "desk", "my", "of", "online", "our", "real", "shop", "the"];

/// Whether a new user may not choose `username`, because others would take it for the shop or its staff. Case,
/// separators and digits that look like letters do not matter.
#[must_use]
pub fn is_reserved(username: &str) -> bool {
    let is_one = |text: &str| RESERVED.iter().any(|name| shape(name) == text);
    let words: Vec<String> = username.split(['_', '.', '-']).filter(|word| !word.is_empty()).map(shape).collect();
    let is_beside = |word: &String| is_one(word) || BESIDE_RESERVED.iter().any(|name| shape(name) == *word);
    is_one(&words.concat()) || (words.iter().any(|word| is_one(word)) && words.iter().all(is_beside))
}

/// How a user name looks at a glance.
fn shape(text: &str) -> String {
    let look = |c: char| match c.to_ascii_lowercase() {
        '0' => 'o',
        '1' | 'l' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(look).collect::<String>().replace("rn", "m").replace("vv", "w")
}

/// The normalised form of a user name. It has only ASCII letters, so no other text becomes equal to one.
#[must_use]
pub fn username_key(text: &str) -> String {
    typed(text).to_ascii_lowercase()
}

/// The normalised form of an e-mail address or a user name, if it is unknown which it is.
#[must_use]
pub fn login_key(text: &str) -> String {
    if text.contains('@') { email_key(text) } else { username_key(text) }
}

/// Without surrounding ASCII white space, which forms trim as well.
fn typed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace())
}

/// A user name derived from an e-mail address: its local part without invalid characters, and `suffix` to make it
/// unique.
#[must_use]
pub fn username_from_email(email: &str, suffix: &str) -> String {
    let local = email.split('@').next().unwrap_or_default();
    let kept: String = local.chars().filter(|c| u8::try_from(*c).is_ok_and(is_username_byte)).take(24).collect();
    let kept = if carries_page_address(&kept) { kept.replace('.', "-") } else { kept };
    let base = if kept.len() < 3 { format!("user{kept}") } else { kept };
    if suffix.is_empty() { base } else { format!("{base}-{suffix}") }
}

/// The normalised form of a password (RFC 8265, `OpaqueString`): spaces of other scripts are the ASCII space, and all
/// is in NFC. Case and the rest are kept.
#[must_use]
pub fn opaque(password: &SecretString) -> SecretString {
    let typed = password.expose_secret();
    if typed.is_ascii() {
        return password.clone();
    }
    let spaced = typed.chars().map(|c| if is_other_space(c) { ' ' } else { c });
    SecretString::from(spaced.nfc().collect::<String>())
}

/// The length of a password's normalised form in characters.
#[must_use]
pub fn password_length(password: &str) -> usize {
    let counted = if is_nfc(password) { Cow::Borrowed(password) } else { Cow::Owned(password.nfc().collect()) };
    counted.chars().count()
}

/// Passwords of 8 characters or more that attackers try first, in small letters. From the list of 20,000 passwords that
/// Django ships (BSD licence).
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a new password is refused, if it is. `own` are the shop's and the user's names and addresses.
#[must_use]
pub fn password_problem<'a>(password: &str, own: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.lines().collect());
    let small = password.to_lowercase();
    let is_own = |name: &str| !name.is_empty() && small == name.to_lowercase();
    match password_length(password) {
        8..=128 if KNOWN.contains(small.as_str()) => Some("is one of the most common passwords; choose another"),
        8..=128 if own.into_iter().any(|name| is_own(name.trim())) => {
            Some("must not be a name or an e-mail address; choose another")
        }
        8..=128 => None,
        _ => Some("must be 8 to 128 characters"),
    }
}

/// The other forms that an older hash may be based on: as typed, and decomposed. Without duplicates; none for most
/// passwords.
#[must_use]
pub fn former_forms(password: &SecretString) -> Vec<SecretString> {
    let typed = password.expose_secret();
    if typed.is_ascii() {
        return vec![];
    }
    let counted = opaque(password);
    let mut forms = vec![typed.to_owned(), typed.nfc().collect(), typed.nfd().collect::<String>()];
    forms.retain(|form| form != counted.expose_secret());
    forms.dedup();
    forms.into_iter().map(SecretString::from).collect()
}

/// Whether `c` is a space (Zs) that is not ASCII's.
const fn is_other_space(c: char) -> bool {
    matches!(c, '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_inject_a_header_are_no_addresses() {
        assert!(is_email("jane.doe+shop@example.co.in"));
        for text in ["", "a", "a@b", "a@@b.c", "a b@c.de", "a@c.de\r\nBcc: x@y.zz", "<a@b.cd>", "a@b..cd", ".a@b.cd"] {
            assert!(!is_email(text), "{text}");
        }
    }

    #[test]
    fn a_domain_counts_in_its_idna_form_and_a_local_part_in_lower_case() {
        let same = [
            ("Mike@Example.COM", "mike@example.com"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@BÜCHER.example", "A@XN--BCHER-KVA.example"),
            ("a@bu\u{308}cher.example", "a@bücher.example"),
            ("a@ｅｘａｍｐｌｅ．ｃｏｍ", "a@example.com"),
            ("a@example。com", "a@example.com"),
            ("ÄÖ@example.com", "äö@example.com"),
            ("H\u{331}@example.com", "\u{1E96}@example.com"),
        ];
        for (one, other) in same {
            assert!(is_email(one) && is_email(other), "{one} {other}");
            assert_eq!(email_key(one), email_key(other));
            assert_eq!(email_key(&email_key(one)), email_key(one), "a key is its own key");
        }
        assert_ne!(email_key("a@straße.example"), email_key("a@strasse.example"));
        assert_eq!(email_domain("a@bücher.example").as_deref(), Some("xn--bcher-kva.example"));
    }

    #[test]
    fn what_is_not_in_nfkc_or_shows_nothing_is_no_address() {
        for text in [
            "mi\u{212A}e@example.com",
            "ﬁona@example.com",
            "ｍike@example.com",
            "e\u{301}@example.com",
            "a\u{200B}@example.com",
            "a@exam\u{AD}ple.com",
            "a@exa\u{200D}mple.com",
            "\u{FEFF}a@example.com",
            "a@example.com\u{3164}",
            " a@example.com",
            "a@xn--zzzzz.example\u{2800}",
            "a@xn--a.example",
            "a@-b.example",
            "a@1.2.3.4",
            "a＠b@x",
        ] {
            assert!(!is_email(text), "{text:?}");
        }
        assert_ne!(email_key("mi\u{212A}e@example.com"), email_key("mike@example.com"));
        assert_eq!(email_key(" Mike@example.com "), "mike@example.com");
        assert_ne!(username_key("mi\u{212A}e"), username_key("mike"));
        assert_eq!(login_key(" Mike "), "mike");
    }

    #[test]
    fn names_of_the_shop_and_its_staff_are_reserved_however_they_are_written() {
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "ad.min",
            "_admin_",
            "a-d-m-i-n",
            "adm1n",
            "4dmin",
            "adrnin",
            "support",
            "Supp0rt",
            "root",
            "r00t",
            "microbazaar",
            "micro-bazaar",
            "MicroBazaar.Support",
            "m1crobazaar",
            "support_team",
            "the.real.admin",
            "help-desk",
            "no-reply",
            "postmaster",
            "AI-Buddy",
            "5ecurity",
            "moderator",
        ] {
            assert!(is_username(name) && is_reserved(name), "{name}");
        }
        for name in [
            "asha",
            "admiral",
            "badminton",
            "rooted",
            "supportive",
            "adminah",
            "sys",
            "modest",
            "asha.support",
            "lakeside-lamps",
            "the-shop",
            "user",
            "seller",
            "salesman",
            "microbazaar-fan",
            "su-lin",
            "info42",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn a_username_made_from_any_email_is_valid() {
        assert_eq!(username_from_email("www.evil.example@c.de", ""), "www-evil-example");
        for email in ["ab@c.de", "é@c.de", "jane.doe+x@c.de", &format!("{}@c.de", "x".repeat(60))] {
            assert!(is_username(&username_from_email(email, "")), "{email}");
            assert!(is_username(&username_from_email(email, "a1b2c3")), "{email}");
        }
    }

    #[test]
    fn a_password_counts_composed_and_with_plain_spaces() {
        let of = |text: &str| opaque(&SecretString::from(text)).expose_secret().to_owned();
        assert_eq!(of("cafe\u{301}\u{A0}Ünder"), "café Ünder");
        assert_eq!(of("plain  ASCII "), "plain  ASCII ");
        assert_eq!(of("ｆｕｌｌ"), "ｆｕｌｌ", "compatibility forms are kept");
        assert_eq!(password_length("cafe\u{301}"), 4);
        let former = |text: &str| {
            former_forms(&SecretString::from(text))
                .iter()
                .map(|form| form.expose_secret().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(former("plain").is_empty() && former("日本").is_empty());
        assert_eq!(former("café"), ["cafe\u{301}"]);
        assert_eq!(former("cafe\u{301}"), ["cafe\u{301}"]);
        assert_eq!(former("a\u{A0}b"), ["a\u{A0}b"]);
    }
}
