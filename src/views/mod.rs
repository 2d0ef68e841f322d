//! The JSON of responses and events.
//!
//! A view is made from a domain type and contains no internal data. Views that other programs send back can be parsed
//! as well, leniently: unknown fields are ignored, and [`read`] accepts an id as `_id` or `id`.
//!
//! **Invariant:** no view contains a password hash, saga state or outbox data.

pub mod cart;
pub mod conversation;
pub mod dashboard;
pub mod event;
pub mod inventory;
pub mod money;
pub mod order;
pub mod payment;
pub mod product;
pub mod user;
pub mod webhook;
pub mod words;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Parses a view from a payload whose ids are called `_id`, `id` or both.
///
/// # Errors
///
/// Those of the view's own shape.
pub fn read<T: DeserializeOwned>(payload: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(with_both_ids(payload))
}

fn with_both_ids(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> =
                fields.iter().map(|(key, value)| (key.clone(), with_both_ids(value))).collect();
            for (from, to) in [("_id", "id"), ("id", "_id")] {
                if let Some(id) = fields.get(from).cloned() {
                    fields.entry(to).or_insert(id);
                }
            }
            Value::Object(fields)
        }
        Value::Array(items) => Value::Array(items.iter().map(with_both_ids).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
