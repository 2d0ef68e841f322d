//! Money, numbers and times as pages show them.

use std::fmt;

use crate::domain::{
    Timestamp,
    money::{Currency, Money},
    order::OrderStatus,
    payment::PaymentStatus,
};

/// `₹1,23,456.00` or `$1,234.00`: with the sign and grouping of the currency's country.
#[must_use]
pub fn money(amount: Money) -> String {
    let minor = amount.minor().unsigned_abs();
    let (sign, digits) = match amount.currency() {
        Currency::Inr => ("₹", grouped(minor / 100, 2)),
        Currency::Usd => ("$", grouped(minor / 100, 3)),
    };
    let minus = if amount.minor() < 0 { "−" } else { "" };
    format!("{minus}{sign}{digits}.{:02}", minor % 100)
}

/// Digits with a comma before the last three and before each `group` further ones.
fn grouped(number: u64, group: usize) -> String {
    let digits = number.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    let mut text = String::with_capacity(digits.len() + digits.len() / 2);
    for (at, digit) in head.chars().enumerate() {
        if at > 0 && (head.len() - at).is_multiple_of(group) {
            text.push(',');
        }
        text.push(digit);
    }
    if !head.is_empty() {
        text.push(',');
    }
    text + tail
}

/// `1,23,456`.
#[must_use]
pub fn count(number: u64) -> String {
    grouped(number, 2)
}

/// Major units as form fields have them: `499.50`, or `499` for a whole amount.
#[must_use]
pub fn plain(minor: i64) -> String {
    let (whole, rest) = (minor / 100, (minor % 100).abs());
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:02}") }
}

/// `23 Nov 2026`.
#[must_use]
pub fn day(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

/// `23 Nov 2026, 04:18 UTC`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// A time or a day as an element of a page, in UTC and marked as such, readable by people and programs;
/// `assets/time.js` converts it to the reader's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    at: Timestamp,
    whole: bool,
}

/// The element of a moment.
#[must_use]
pub const fn time(at: Timestamp) -> Time {
    Time { at, whole: true }
}

/// The element of a day.
#[must_use]
pub const fn date(at: Timestamp) -> Time {
    Time { at, whole: false }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Browsers read fractions of a second only up to milliseconds; none are needed here.
        let machine = self.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let (kind, text) = if self.whole { ("moment", moment(self.at)) } else { ("day", day(self.at)) };
        write!(f, "<time datetime=\"{machine}\" data-local=\"{kind}\">{text}</time>")
    }
}

// The text contains no user input.
impl askama::filters::HtmlSafe for Time {}

/// `Confirmed`.
#[must_use]
pub const fn order_status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Pending => "Pending",
        OrderStatus::Confirmed => "Confirmed",
        OrderStatus::Shipped => "Shipped",
        OrderStatus::Delivered => "Delivered",
        OrderStatus::Cancelled => "Cancelled",
    }
}

/// `Paid`.
#[must_use]
pub const fn payment_status(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Pending => "Awaiting payment",
        PaymentStatus::Successful => "Paid",
        PaymentStatus::Failed => "Payment failed",
        PaymentStatus::Refunded => "Refunded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_grouped_by_lakhs_and_dollars_by_thousands() {
        let rupees = |minor| money(Money::new(minor, Currency::Inr));
        assert_eq!(rupees(0), "₹0.00");
        assert_eq!(rupees(99_905), "₹999.05");
        assert_eq!(rupees(100_000), "₹1,000.00");
        assert_eq!(rupees(12_345_600), "₹1,23,456.00");
        assert_eq!(rupees(123_456_789_000), "₹1,23,45,67,890.00");
        assert_eq!(rupees(-150), "−₹1.50");
        assert_eq!(money(Money::new(123_456_789, Currency::Usd)), "$1,234,567.89");
        assert_eq!(money(Money::new(123_400, Currency::Usd)), "$1,234.00");
    }

    #[test]
    fn moments_are_read_by_people() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!((day(at).as_str(), moment(at).as_str()), ("2 Jan 2026", "2 Jan 2026, 03:04 UTC"));
        let exact: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        let element = r#"<time datetime="2026-01-02T03:04:05Z" data-local="moment">2 Jan 2026, 03:04 UTC</time>"#;
        assert_eq!(time(exact).to_string(), element);
        let element = r#"<time datetime="2026-01-02T03:04:05Z" data-local="day">2 Jan 2026</time>"#;
        assert_eq!(date(exact).to_string(), element);
        assert_eq!((plain(49_900), plain(49_950)), ("499".into(), "499.50".into()));
    }
}
