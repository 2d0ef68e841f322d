//! Which part of an event a user may receive.
//!
//! Payloads are those of the topic exchange. A seller receives events of their own products, and orders as the
//! dashboard shows them, with their own lines and sums only. Users and payments are for admins.

use serde_json::Value;

use crate::domain::{ids::UserId, user::Role};

/// The sellers whom the event `name` with this payload concerns.
#[must_use]
pub fn concerned_sellers(name: &str, payload: &Value) -> Vec<UserId> {
    let mut sellers: Vec<UserId> = match name.split('.').next() {
        Some("product") => seller(payload).into_iter().collect(),
        Some("order") => items(payload).iter().filter_map(seller).collect(),
        _ => vec![],
    };
    sellers.sort_unstable();
    sellers.dedup();
    sellers
}

/// The payload of the event `name` that `owner` may receive in the `role`, if any. `keep` reduces an order to a
/// seller's part.
#[must_use]
pub fn payload_for(
    role: Role,
    owner: UserId,
    name: &str,
    payload: &Value,
    keep: impl Fn(&mut Value, UserId),
) -> Option<Value> {
    match role {
        Role::Admin => Some(payload.clone()),
        Role::Seller if concerned_sellers(name, payload).contains(&owner) => {
            let mut seen = payload.clone();
            if name.starts_with("order.") {
                keep(&mut seen, owner);
            }
            Some(seen)
        }
        Role::Seller | Role::User | Role::Service => None,
    }
}

fn items(order: &Value) -> &[Value] {
    order.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn seller(document: &Value) -> Option<UserId> {
    let text = ["seller", "sellerId"].iter().find_map(|key| document.get(key)?.as_str())?;
    text.trim().parse().ok()
}
