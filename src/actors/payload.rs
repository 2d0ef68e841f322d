//! The payloads of deliveries as types, which other programs may have written too.
//!
//! Lenient where possible: unknown fields are ignored, optional ones may be missing or of another type, and an id may
//! be called `_id` or `id` (or have both names, which an alias of serde does not allow). A required field that is
//! missing or invalid is [`HandleError::Unreadable`] with its name.
//!
//! **Invariant:** no payload causes a panic.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{bus::HandleError, domain::money::Money, views::money::MoneyView};

/// Reads an object.
pub(crate) fn read<T: DeserializeOwned>(payload: &Value) -> Result<T, HandleError> {
    if !payload.is_object() {
        return Err(HandleError::Unreadable("the payload is not an object".into()));
    }
    T::deserialize(payload).map_err(|error| HandleError::Unreadable(error.to_string()))
}

/// A valid field; `None` when it is missing or invalid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loose<T>(pub(crate) Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(Value::deserialize(from)?).ok()))
    }
}

impl<T> Loose<Vec<Loose<T>>> {
    /// The valid items of a list; none when it is missing.
    pub(crate) fn some(self) -> Vec<T> {
        self.0.into_iter().flatten().filter_map(|item| item.0).collect()
    }
}

impl Loose<MoneyView> {
    pub(crate) fn money(self) -> Option<Money> {
        self.0.map(Money::from)
    }
}

/// A trimmed, non-empty text, parsed as `T`; `None` when it is missing or invalid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<T = String>(pub(crate) Option<T>);

impl<T> Default for Text<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        Ok(Self(text.and_then(|text| text.parse().ok())))
    }
}

impl<T> Text<T> {
    /// This field, or else the one under another name.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// The field, which is required under `name`.
    pub(crate) fn need(self, name: &str) -> Result<T, HandleError> {
        self.0.ok_or_else(|| missing(name))
    }
}

impl Text {
    pub(crate) fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// A number, or a text with a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Number(serde_json::Number),
    Text(String),
}

impl Number {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}

/// The error for a missing or invalid field.
pub(crate) fn missing(key: &str) -> HandleError {
    HandleError::Unreadable(format!("`{key}` is missing or not what it should be"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{ids::OrderId, money::Currency};

    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Document {
        _id: Text<OrderId>,
        id: Text<OrderId>,
        price: Loose<MoneyView>,
    }

    #[test]
    fn an_id_goes_by_either_name_and_its_absence_is_named() {
        let id = OrderId::generate();
        for value in [json!({"_id": id, "more": [1]}), json!({"id": id}), json!({"_id": id, "id": id})] {
            let Document { _id, id: other, .. } = read(&value).unwrap();
            assert_eq!(_id.or(other).need("_id"), Ok(id));
        }
        let error = read::<Document>(&json!({"_id": 7})).unwrap()._id.need("_id").unwrap_err();
        assert!(matches!(error, HandleError::Unreadable(text) if text.contains("_id")));
        assert!(read::<Document>(&json!([1])).is_err());
    }

    #[test]
    fn money_is_read_exactly_or_not_at_all() {
        let read = |price: Value| read::<Document>(&json!({ "price": price })).unwrap().price.money();
        assert_eq!(read(json!({"amount": 499.5, "currency": "INR"})), Some(Money::new(49_950, Currency::Inr)));
        assert_eq!(read(json!({"amount": "0.1", "currency": "USD"})), Some(Money::new(10, Currency::Usd)));
        for bad in [json!({"amount": 0.001, "currency": "INR"}), json!({"amount": 1, "currency": "EUR"}), json!(5)] {
            assert_eq!(read(bad), None);
        }
    }
}
