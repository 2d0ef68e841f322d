//! Folding and bounds of text that people type.

/// The form of an e-mail address or user name that must be unique: without outer
/// white space and in lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether `text` has the shape of an e-mail address that mail can be sent to: one `@`,
/// a dotted or local host, at most 254 bytes, and nothing that could end a header.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let safe = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"@".contains(c);
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && local.chars().all(safe)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && host.contains('.')
        && host.split('.').all(label)
}

/// Whether `text` may be a user name: 3 to 32 of `[A-Za-z0-9_.-]`.
#[must_use]
pub fn is_username(text: &str) -> bool {
    (3..=32).contains(&text.len()) && text.bytes().all(is_username_byte)
}

fn is_username_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// A user name made from an e-mail address, for those who gave none: its local part
/// without what a user name cannot have, and `suffix` to make it unique.
#[must_use]
pub fn username_from_email(email: &str, suffix: &str) -> String {
    let local = email.split('@').next().unwrap_or_default();
    let kept: String = local.chars().filter(|c| u8::try_from(*c).is_ok_and(is_username_byte)).take(24).collect();
    let base = if kept.len() < 3 { format!("user{kept}") } else { kept };
    if suffix.is_empty() { base } else { format!("{base}-{suffix}") }
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
    fn a_username_made_from_any_email_is_valid() {
        for email in ["ab@c.de", "é@c.de", "jane.doe+x@c.de", &format!("{}@c.de", "x".repeat(60))] {
            assert!(is_username(&username_from_email(email, "")), "{email}");
            assert!(is_username(&username_from_email(email, "a1b2c3")), "{email}");
        }
    }
}
