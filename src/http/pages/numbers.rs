//! Parsing of prices and counts as people write them.
//!
//! The shop prints `₹1,29,999.00`, so that is accepted, and so is `1,299`. A text that could mean `1.29` or `129` is
//! refused.
//!
//! **Invariant:** a text has one meaning or is refused.

use crate::domain::money::{Currency, Money};

/// The largest price in minor units; JSON numbers carry it exactly.
const PRICE_MAX_MINOR: i64 = 100_000_000_000;

/// Currency signs before or after an amount, longest first.
const SIGNS: [(&str, Currency); 8] = [
    ("INR", Currency::Inr),
    ("USD", Currency::Usd),
    ("US$", Currency::Usd),
    ("Rs.", Currency::Inr),
    ("Rs", Currency::Inr),
    ("₹", Currency::Inr),
    ("₨", Currency::Inr),
    ("$", Currency::Usd),
];

/// A parsed price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// In minor units.
    pub minor: i64,
    /// The currency of the sign, if there is one.
    pub sign: Option<Currency>,
}

/// Parses a price above zero: `499.5`, `1,299`, `₹1,29,999.00`.
///
/// # Errors
///
/// The problem, as a message for people.
pub fn price(text: &str) -> Result<Price, String> {
    let (digits, sign) = without_sign(text.trim());
    let plain = ungrouped(digits)?;
    let problem = || "enter a price above zero with at most two decimals, like 499.50".to_owned();
    let money = Money::parse_major(&plain, Currency::Inr).map_err(|_| problem())?;
    if (1..=PRICE_MAX_MINOR).contains(&money.minor()) {
        Ok(Price { minor: money.minor(), sign })
    } else {
        Err(problem())
    }
}

/// Parses an amount of `currency`, which may be zero: `499.5`, `1,299`, `₹1,29,999.00`.
///
/// # Errors
///
/// The problem, as a message for people.
pub fn money(text: &str, currency: Currency) -> Result<Money, String> {
    let (digits, sign) = without_sign(text.trim());
    if let Some(sign) = sign.filter(|sign| *sign != currency) {
        return Err(format!("is written in {}, but the currency is {}", sign.code(), currency.code()));
    }
    Money::parse_major(&ungrouped(digits)?, currency).map_err(|error| error.to_string())
}

/// Parses a whole number from 0 to `most`: `12`, `1,299`.
///
/// # Errors
///
/// The problem, as a message for people.
pub fn count(text: &str, most: u32) -> Result<u32, String> {
    let text = text.trim();
    let plain = ungrouped(text)?;
    let digits = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.parse::<u32>().ok().filter(|number| digits && *number <= most);
    number.ok_or_else(|| "enter a whole number, 0 or more".to_owned())
}

fn without_sign(text: &str) -> (&str, Option<Currency>) {
    for (sign, currency) in SIGNS {
        if let Some(rest) = strip(text, sign) {
            return (rest, Some(currency));
        }
    }
    (text, None)
}

/// `text` without `sign` before or after it, in any case.
fn strip<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let before = text.get(..sign.len()).filter(|head| head.eq_ignore_ascii_case(sign));
    if before.is_some() {
        return text.get(sign.len()..).map(str::trim);
    }
    let at = text.len().checked_sub(sign.len())?;
    let behind = text.get(at..).filter(|tail| tail.eq_ignore_ascii_case(sign));
    behind.and_then(|_| text.get(..at)).map(str::trim)
}

/// The number without the commas between its groups.
fn ungrouped(text: &str) -> Result<String, String> {
    if !text.contains(',') {
        return Ok(text.to_owned());
    }
    let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, decimals)| (whole, Some(decimals)));
    let groups: Vec<&str> = whole.split(',').collect();
    let digits = |group: &&str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let (Some((first, rest)), true) = (groups.split_first(), groups.iter().all(digits)) else {
        return Err(unclear(text));
    };
    let (last, middle) = rest.split_last().map_or(("", &[][..]), |(last, middle)| (*last, middle));
    let western = first.len() <= 3 && rest.iter().all(|group| group.len() == 3);
    let indian = first.len() <= 2 && last.len() == 3 && middle.iter().all(|group| group.len() == 2);
    let clear = (western || indian) && !first.starts_with('0') && !decimals.is_some_and(|rest| rest.contains(','));
    if clear { Ok(text.replace(',', "")) } else { Err(unclear(text)) }
}

fn unclear(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!(
        "“{shown}” can be read in more than one way: use a point before decimals and commas between thousands only, like 1,299.50"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_the_shop_prints_them() {
        for (text, minor, sign) in [
            ("499.5", 49_950, None),
            ("1,299", 129_900, None),
            ("₹1,299.00", 129_900, Some(Currency::Inr)),
            ("1,29,999", 12_999_900, None),
            ("12,34,56,789.05", 12_345_678_905, None),
            ("$1,234,567.89", 123_456_789, Some(Currency::Usd)),
            ("₹ 1,23,456.00", 12_345_600, Some(Currency::Inr)),
            ("rs. 99", 9_900, Some(Currency::Inr)),
            ("99 INR", 9_900, Some(Currency::Inr)),
            ("999,999", 99_999_900, None),
        ] {
            assert_eq!(price(text), Ok(Price { minor, sign }), "{text}");
        }
    }

    #[test]
    fn ambiguous_numbers_are_refused() {
        for text in [
            "1,29",
            "1,2",
            "12,34",
            "1,2999",
            "1234,567",
            "1,234,56",
            "0,299",
            ",299",
            "1,,299",
            "1.299,00",
            "1,299,",
            "1,00,00",
            "1,299.50,0",
            "1,29 9",
        ] {
            let message = price(text).unwrap_err();
            assert!(message.contains("more than one way"), "{text}: {message}");
            assert!(count(text, u32::MAX).is_err(), "{text}");
        }
        for text in
            ["1.299", "0", "-1", "", "x", "1e3", "+5", "1 299", "1'299", "१२", "5.", "1.2.3", "$", "₹₹5", "0.00"]
        {
            assert!(price(text).is_err(), "{text}");
        }
        assert_eq!(money("₹1,299", Currency::Inr), Ok(Money::new(129_900, Currency::Inr)));
        assert_eq!(money("0", Currency::Usd), Ok(Money::zero(Currency::Usd)));
        assert!(money("₹5", Currency::Usd).is_err() && money("1,29", Currency::Inr).is_err());
        assert_eq!(count("1,299", 5_000), Ok(1_299));
        for text in ["-1", "1.5", "", "5000000000", "+1", "1.000"] {
            assert!(count(text, 1_000_000_000).is_err(), "{text}");
        }
    }
}
