//! Money, numbers and times as pages show them.

use std::fmt;

pub use crate::views::words::money;
use crate::{
    domain::{Timestamp, order::OrderStatus, payment::PaymentStatus},
    views::words::grouped,
};

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
