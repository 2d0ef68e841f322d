//! The formats of values: durations, decimals, addresses, origins, words.
//!
//! Each function parses a text into the value or an error that is worded to follow the key: `"soon" is not a
//! duration; write for example 15m or 90s`.
//!
//! **Invariant:** a value is either read exactly or refused; nothing is rounded or guessed.

use std::{net::IpAddr, time::Duration};

use jiff::{SpanRelativeTo, fmt::friendly::SpanParser};
use reqwest::Url;

use super::error::quoted;
use crate::domain::{
    identity::is_email,
    money::{Currency, Money, MoneyError},
};

/// The highest flat shipping, in major units.
const SHIPPING_MAX: i64 = 1_000_000;

/// A length of time such as `15m`, `500ms` or `1h30m`, longer than none.
///
/// # Errors
/// One sentence that shows what was written.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{} is not a duration; write for example 15m or 90s", quoted(text));
    let span = SpanParser::new().parse_span(text).map_err(|_| refused())?;
    // Months and years have no length of their own.
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refused())?;
    let length = Duration::try_from(length).map_err(|_| refused())?;
    if length.as_millis() == 0 {
        return Err(format!("{} is no time at all; write for example 15m or 90s", quoted(text)));
    }
    Ok(length)
}

/// A percentage, in hundredths of a percent.
pub(super) fn percent(text: &str) -> Result<u32, String> {
    let what = "a percentage; write for example 10 or 12.5";
    u32::try_from(hundredths(text, what, 100)?).map_err(|_| format!("{} is not {what}", quoted(text)))
}

/// An amount of money in major units, in minor units.
pub(super) fn amount(text: &str) -> Result<i64, String> {
    hundredths(text, "an amount; write for example 50 or 49.90", SHIPPING_MAX)
}

/// A decimal from 0 with at most two digits after the point, in hundredths.
fn hundredths(text: &str, what: &str, largest: i64) -> Result<i64, String> {
    match Money::parse_major(text, Currency::Inr).map(Money::minor) {
        Ok(value) if (0..=largest * 100).contains(&value) => Ok(value),
        Ok(_) | Err(MoneyError::TooLarge) => Err(format!("{} is not between 0 and {largest}", quoted(text))),
        Err(MoneyError::TooManyDecimals) => Err(format!("{} has more than two decimals", quoted(text))),
        Err(_) => Err(format!("{} is not {what}", quoted(text))),
    }
}

/// One of the words of `choices`.
pub(super) fn word<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("{} is not one of {}", quoted(text), names.join(", "))
    })
}

/// A text that is not empty.
pub(super) fn text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("must not be empty".into()),
        text if text.contains(char::is_control) => Err("must be one line of text".into()),
        text => Ok(text.to_owned()),
    }
}

/// The text itself if it `fits`; `what` describes the rule.
fn fitting(text: &str, fits: bool, what: &str) -> Result<String, String> {
    if fits { Ok(text.to_owned()) } else { Err(format!("{} is not {what}", quoted(text))) }
}

/// An address to listen on: an IP address or a host name.
pub(super) fn host(text: &str) -> Result<String, String> {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let fits = text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.len() <= 253 && text.bytes().all(name));
    fitting(text, fits, "an address to listen on; write for example 127.0.0.1 or 0.0.0.0")
}

/// A prefix of database names.
pub(super) fn database_prefix(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    fitting(text, text.len() <= 30 && text.bytes().all(plain), "at most 30 letters, digits, _ and -")
}

/// A prefix of Redis keys.
pub(super) fn key_prefix(text: &str) -> Result<String, String> {
    let fits = text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_graphic());
    fitting(text, fits, "at most 60 characters of ASCII without spaces")
}

/// A web address without a path, as `https://api.example` or `http://127.0.0.1:9000`.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    parse_base(text).ok_or_else(|| {
        let what = "is not an http or https address without a path; write for example https://api.example";
        format!("{} {what}", quoted_address(text))
    })
}

/// A browser's origin, in the form that browsers send.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let base = parse_base(text).filter(|_| !text.ends_with('/'));
    base.ok_or_else(|| format!("{} is not an origin; write for example https://shop.example", quoted(text)))
}

fn parse_base(text: &str) -> Option<String> {
    let url = web_address(text)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    (bare && anonymous).then(|| url.origin().ascii_serialization())
}

/// An http or https address. `Url` alone silently corrects mistakes: missing or surplus slashes, backslashes, spaces.
fn web_address(text: &str) -> Option<Url> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !rest.starts_with('/');
    Url::parse(text).ok().filter(|url| plain && url.port() != Some(0))
}

/// An address as an error shows it: hidden if it may contain a password.
fn quoted_address(text: &str) -> String {
    if text.contains('@') { "this".to_owned() } else { quoted(text) }
}

/// A mail's sender: `shop@example.com` or `The Shop <shop@example.com>`.
pub(super) fn sender(text: &str) -> Result<String, String> {
    let address = match text.strip_suffix('>') {
        Some(named) => named.rsplit_once('<').map(|(_, address)| address),
        None => Some(text),
    };
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', '<', '>', ',', ' ']);
    let parts = address.and_then(|address| address.split_once('@'));
    let fits = parts.is_some_and(|(name, domain)| plain(name) && plain(domain)) && !text.contains(char::is_control);
    fitting(text, fits, "a sender; write for example Shop <shop@example.com>")
}

/// The address of a page, with a path.
pub(super) fn page(text: &str) -> Result<String, String> {
    if web_address(text).is_some() && !text.contains(['<', '>', ',', '@', '#']) {
        return Ok(text.to_owned());
    }
    let what = "is not an http or https address; write for example https://login.example/token";
    Err(format!("{} {what}", quoted_address(text)))
}

/// An e-mail address or the address of a page.
pub(super) fn address_or_page(text: &str) -> Result<String, String> {
    if text.is_ascii() && is_email(text) { Ok(text.to_owned()) } else { page(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly_or_refused() {
        let millis = |text| duration(text).map(|length| length.as_millis());
        assert_eq!(millis("15m"), Ok(900_000));
        assert_eq!(millis("2s"), Ok(2_000));
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("7d"), Ok(604_800_000));
        assert_eq!(millis("1.5h"), Ok(5_400_000));
        assert_eq!(millis("1 m"), Ok(60_000));
        for text in [
            "",
            "soon",
            "15",
            "m",
            "-1s",
            "1s ago",
            "30m1h",
            "1s1s",
            "15M",
            "1mo",
            "1y",
            "PT15M",
            "99999999999999999999s",
            "1d1",
        ] {
            let problem = duration(text).expect_err(text);
            assert!(problem.ends_with("is not a duration; write for example 15m or 90s"), "{problem}");
        }
        assert_eq!(duration("0s").unwrap_err(), "\"0s\" is no time at all; write for example 15m or 90s");
    }

    #[test]
    fn decimals_have_at_most_two_digits() {
        assert_eq!(hundredths("12.5", "a percentage", 100), Ok(1_250));
        assert_eq!(hundredths("0", "a percentage", 100), Ok(0));
        assert_eq!(hundredths("1.005", "a percentage", 100).unwrap_err(), "\"1.005\" has more than two decimals");
        assert_eq!(hundredths("101", "a percentage", 100).unwrap_err(), "\"101\" is not between 0 and 100");
        assert_eq!(hundredths("-1", "a percentage", 100).unwrap_err(), "\"-1\" is not between 0 and 100");
        assert_eq!(hundredths("ten", "a percentage", 100).unwrap_err(), "\"ten\" is not a percentage");
    }

    #[test]
    fn a_base_url_has_no_path_and_no_user() {
        assert_eq!(base_url("https://api.razorpay.com"), Ok("https://api.razorpay.com".into()));
        assert_eq!(base_url("http://127.0.0.1:9000/"), Ok("http://127.0.0.1:9000".into()));
        assert_eq!(base_url("http://[::1]:9000"), Ok("http://[::1]:9000".into()));
        for text in
            ["", "api", "ftp://a", "https://a/v1", "https://a?x=1", "https://a#x", "https://a:0", "https://a:99999"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
        let problem = base_url("https://me:hush@a").unwrap_err();
        assert!(problem.starts_with("this is not an http") && !problem.contains("hush"), "{problem}");
    }

    #[test]
    fn an_origin_is_kept_as_browsers_send_it() {
        assert_eq!(origin("https://Shop.Example"), Ok("https://shop.example".into()));
        assert_eq!(origin("https://shop.example:443"), Ok("https://shop.example".into()));
        assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".into()));
        for text in ["*", "null", "shop.example", "https://shop.example/", "https://shop.example/x"] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sender_is_one_address() {
        assert!(sender("Shop <shop@example.com>").is_ok());
        assert!(sender("shop@example.com").is_ok());
        for text in ["", "shop", "a@b, c@d", "Shop <shop>", "Shop <a@b>\r\nBcc: c@d", "Shop\r\n <a@b>"] {
            assert!(sender(text).is_err(), "{text}");
        }
    }
}
