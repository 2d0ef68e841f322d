//! OpenAPI schemas of enums, so that generated clients know their values.
//!
//! **Invariant:** a schema lists exactly the values that its type is serialized to.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, schema::Type};

use crate::domain::{
    inventory::ReservationState,
    money::{Currency, Money},
    order::{OrderStatus, Shipment},
    payment::{PaymentStatus, RefundStatus},
    user::Role,
};

/// The schema of a text that is one of these words.
pub fn one_of<T: Serialize>(words: impl IntoIterator<Item = T>) -> Object {
    let words: Vec<Value> = words.into_iter().filter_map(|word| serde_json::to_value(word).ok()).collect();
    let first = words.first().cloned();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).examples(first).build()
}

/// Of [`Currency`].
#[must_use]
pub fn currency() -> Object {
    one_of([Currency::Inr, Currency::Usd])
}

/// Of [`Role`], without the role of the platform's own processes.
#[must_use]
pub fn role() -> Object {
    one_of([Role::User, Role::Seller, Role::Admin])
}

/// Of [`OrderStatus`].
#[must_use]
pub fn order_status() -> Object {
    one_of(OrderStatus::ALL)
}

/// Of [`Shipment`].
#[must_use]
pub fn shipment() -> Object {
    one_of([Shipment::Waiting, Shipment::Shipped, Shipment::Delivered])
}

/// Of [`PaymentStatus`].
#[must_use]
pub fn payment_status() -> Object {
    use PaymentStatus::{Failed, Pending, Refunded, Successful};
    one_of([Pending, Successful, Failed, Refunded])
}

/// Of [`RefundStatus`].
#[must_use]
pub fn refund_status() -> Object {
    one_of([RefundStatus::Pending, RefundStatus::Processed, RefundStatus::Failed])
}

/// Of [`ReservationState`].
#[must_use]
pub fn reservation_state() -> Object {
    one_of([ReservationState::Held, ReservationState::Committed, ReservationState::Released])
}

/// Money as text: `₹1,234.00`, `₹12,34,567.50`, `$1,234,567.00`, `−₹1.50`.
#[must_use]
pub fn money(money: Money) -> String {
    let minor = money.minor().unsigned_abs();
    let (sign, whole) = match money.currency() {
        // Lakhs and crores are groups of two digits.
        Currency::Inr => ('₹', grouped(minor / 100, 2)),
        Currency::Usd => ('$', grouped(minor / 100, 3)),
    };
    let minus = if money.minor() < 0 { "−" } else { "" };
    format!("{minus}{sign}{whole}.{:02}", minor % 100)
}

/// Digits with a comma before the last three and before each `group` further ones.
#[must_use]
pub fn grouped(number: u64, group: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_formatted_as_in_its_country() {
        for (minor, currency, text) in [
            (0, Currency::Inr, "₹0.00"),
            (5, Currency::Inr, "₹0.05"),
            (99_900, Currency::Inr, "₹999.00"),
            (99_905, Currency::Inr, "₹999.05"),
            (123_400, Currency::Inr, "₹1,234.00"),
            (12_345_650, Currency::Inr, "₹1,23,456.50"),
            (1_234_567_800, Currency::Inr, "₹1,23,45,678.00"),
            (123_456_789_000, Currency::Inr, "₹1,23,45,67,890.00"),
            (123_456_700, Currency::Usd, "$1,234,567.00"),
            (-150, Currency::Usd, "−$1.50"),
        ] {
            assert_eq!(money(Money::new(minor, currency)), text);
        }
    }
}
