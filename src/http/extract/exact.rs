//! Refuses numbers that a 64-bit float cannot hold exactly.
//!
//! Every decimal of up to 15 digits survives the conversion to a 64-bit float and back; a number with more digits may
//! not.

use super::super::error::ApiError;

/// The most digits that a float holds exactly.
const DIGITS_MAX: usize = 15;

/// Checks every number in a body that is known to be valid JSON.
///
/// # Errors
/// [`ApiError::Validation`] that names the key of a fraction with too many digits.
pub(super) fn check(body: &[u8]) -> Result<(), ApiError> {
    let (mut at, mut key): (usize, &[u8]) = (0, b"");
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                let end = string_end(body, at);
                if body[end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                    key = &body[at + 1..end - 1];
                }
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &body[at..];
                let in_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = rest.iter().position(|byte| !in_number(byte)).unwrap_or(rest.len());
                if !is_exact(&rest[..length]) {
                    return Err(ApiError::field(String::from_utf8_lossy(key), "has too many digits"));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The index after the closing quote of the string that starts at `start`.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

fn is_exact(number: &[u8]) -> bool {
    let mantissa = number.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let fraction = mantissa.contains(&b'.') || mantissa.len() != number.len();
    !fraction || mantissa.iter().filter(|byte| byte.is_ascii_digit()).count() <= DIGITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_survive_a_float_pass() {
        for body in [
            r#"{"a": 499.5, "b": "0.12345678901234567890"}"#,
            r#"{"a\"0.1234567890123456": 1}"#,
            "{}",
            r#"{"n": 123456789012345678}"#,
            r#"{"a": "\\"}"#,
        ] {
            assert_eq!(check(body.as_bytes()), Ok(()), "{body}");
        }
        let refused = check(br#"{"price": {"amount" : 499.9900000000000001}}"#);
        assert_eq!(refused, Err(ApiError::field("amount", "has too many digits")));
    }
}
