//! How a value is written: durations, decimals, addresses, origins, words.
//!
//! Each function takes the text and answers with the value or with what is wrong, worded
//! to stand after the key: `"soon" is not a duration; write for example 15m or 90s`.
//!
//! **Invariant:** a value is either read exactly or refused; nothing is rounded or guessed.

use std::{net::IpAddr, ops::RangeInclusive, str::FromStr, time::Duration};

use actix_web::http::Uri;

use super::error::quoted;
use crate::domain::{
    identity::is_email,
    money::{Currency, Money, MoneyError},
};

/// Units of a duration, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time such as `15m`, `500ms` or `1h30m`, longer than none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{} is not a duration; write for example 15m or 90s", quoted(text));
    let mut rest = text;
    let mut allowed = &UNITS[..];
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |byte| byte.is_ascii_digit());
        let (unit, after) = split_while(after, |byte| byte.is_ascii_lowercase());
        let number: u64 = digits.parse().map_err(|_| refused())?;
        let place = allowed.iter().position(|(name, _)| *name == unit).ok_or_else(refused)?;
        let part = number.checked_mul(allowed[place].1).ok_or_else(refused)?;
        total = total.checked_add(part).ok_or_else(refused)?;
        allowed = &allowed[place + 1..];
        rest = after;
    }
    match (text.is_empty(), total) {
        (true, _) => Err(refused()),
        (false, 0) => Err(format!("{} is no time at all; write for example 15m or 90s", quoted(text))),
        (false, total) => Ok(Duration::from_millis(total)),
    }
}

fn split_while(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !keep(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// A decimal from 0 with at most two digits behind the point, in hundredths.
pub(super) fn hundredths(text: &str, what: &str, largest: i64) -> Result<i64, String> {
    let refused = || format!("{} is not {what}", quoted(text));
    match Money::parse_major(text, Currency::Inr).map(Money::minor) {
        Ok(value) if (0..=largest * 100).contains(&value) => Ok(value),
        Ok(_) | Err(MoneyError::TooLarge) => Err(format!("{} is not between 0 and {largest}", quoted(text))),
        Err(MoneyError::TooManyDecimals) => Err(format!("{} has more than two decimals", quoted(text))),
        Err(_) => Err(refused()),
    }
}

/// A whole number within `range`.
pub(super) fn whole<N>(text: &str, range: RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("{} is not a whole number between {} and {}", quoted(text), range.start(), range.end()))
}

/// One of the words of `choices`.
pub(super) fn word<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("{} is not one of {}", quoted(text), names.join(", "))
    })
}

/// An address to listen on: an IP address or a host name.
pub(super) fn host(text: &str) -> Result<String, String> {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let fits = text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.len() <= 253 && text.bytes().all(name));
    if fits {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not an address to listen on; write for example 127.0.0.1 or 0.0.0.0", quoted(text)))
}

/// A web address without a path, as `https://api.example` or `http://127.0.0.1:9000`.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    // The value is not repeated when it may hold a password.
    let shown = if text.contains('@') { "this".to_owned() } else { quoted(text) };
    parse_base(text).ok_or_else(|| {
        format!("{shown} is not an http or https address without a path; write for example https://api.example")
    })
}

/// A browser's origin, in the form that browsers send.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let refused = || format!("{} is not an origin; write for example https://shop.example", quoted(text));
    let base = parse_base(text).filter(|_| !text.ends_with('/')).ok_or_else(refused)?;
    let default_port = if base.starts_with("https:") { ":443" } else { ":80" };
    Ok(base.strip_suffix(default_port).unwrap_or(&base).to_owned())
}

fn parse_base(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    let port_fits = match authority.as_str().strip_prefix(authority.host())? {
        "" => true,
        port => port.strip_prefix(':')?.parse::<u16>().is_ok_and(|port| port > 0),
    };
    let bare = uri.path() == "/" && uri.query().is_none() && !text.contains('#') && !authority.host().is_empty();
    (port_fits && bare).then(|| format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
}

/// A mail's sender: `shop@example.com` or `The Shop <shop@example.com>`.
pub(super) fn sender(text: &str) -> Result<String, String> {
    let address = match text.strip_suffix('>') {
        Some(named) => named.rsplit_once('<').map(|(_, address)| address),
        None => Some(text),
    };
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', '<', '>', ',', ' ']);
    let parts = address.and_then(|address| address.split_once('@'));
    if parts.is_some_and(|(name, domain)| plain(name) && plain(domain)) && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not a sender; write for example Shop <shop@example.com>", quoted(text)))
}

/// The address of a page, with a path.
pub(super) fn page(text: &str) -> Result<String, String> {
    // The value is not repeated when it may hold a password.
    let shown = if text.contains('@') { "this".to_owned() } else { quoted(text) };
    let plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,".contains(&byte)) && !text.contains(['@', '#']);
    let uri = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    match uri.is_some_and(|uri| uri.host().is_some_and(|host| !host.is_empty())) && plain {
        true => Ok(text.to_owned()),
        false => Err(format!("{shown} is not an http or https address; write for example https://login.example/token")),
    }
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
        for text in
            ["", "soon", "15", "m", "-1s", "1.5h", "30m1h", "1s1s", "1 m", "15M", "99999999999999999999s", "1d1"]
        {
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
