//! The words of each closed set, as schemas: so that a client's generated types know them.
//!
//! **Invariant:** a schema lists the words that its type is written as, and no other.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, schema::Type};

use crate::domain::{
    inventory::ReservationState,
    money::Currency,
    order::{OrderStatus, Shipment},
    payment::{PaymentStatus, RefundStatus},
    user::Role,
};

fn one_of<T: Serialize>(words: impl IntoIterator<Item = T>) -> Object {
    let words: Vec<Value> = words.into_iter().filter_map(|word| serde_json::to_value(word).ok()).collect();
    let first = words.first().cloned();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).examples(first).build()
}

/// Of [`Currency`].
#[must_use]
pub fn currency() -> Object {
    one_of([Currency::Inr, Currency::Usd])
}

/// Of [`Role`], but for that of the platform's own processes.
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
