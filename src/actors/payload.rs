//! Reads the payloads of deliveries, which other programs may have written too.
//!
//! Lenient where possible: unknown fields are ignored, optional ones may be missing, an id may be called `_id` or
//! `id`. Strict where necessary: a missing required field is [`HandleError::Unreadable`], naming the field.
//!
//! **Invariant:** no payload causes a panic.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::{
    bus::HandleError,
    domain::{
        Timestamp,
        money::{Currency, Money},
    },
};

/// A JSON object of a payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payload<'a>(&'a Map<String, Value>);

impl<'a> Payload<'a> {
    /// The payload, which must be an object.
    pub(crate) fn of(value: &'a Value) -> Result<Self, HandleError> {
        value.as_object().map(Self).ok_or_else(|| HandleError::Unreadable("the payload is not an object".into()))
    }

    /// A trimmed text, if it is present and not empty.
    pub(crate) fn text(self, key: &str) -> Option<&'a str> {
        self.0.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A required text.
    pub(crate) fn need_text(self, key: &str) -> Result<&'a str, HandleError> {
        self.text(key).ok_or_else(|| missing(key))
    }

    /// The id under the first of `keys` that is present.
    pub(crate) fn id<T: FromStr>(self, keys: &[&str]) -> Result<T, HandleError> {
        let name = keys.first().copied().unwrap_or_default();
        let text = keys.iter().find_map(|key| self.text(key)).ok_or_else(|| missing(name))?;
        text.parse().map_err(|_| HandleError::Unreadable(format!("`{name}` is not an id")))
    }

    /// Whether there is nothing under `key`, or null.
    pub(crate) fn is_missing(self, key: &str) -> bool {
        self.0.get(key).is_none_or(Value::is_null)
    }

    /// A whole number, zero or above.
    pub(crate) fn count(self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// A boolean; false if missing.
    pub(crate) fn flag(self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A point in time.
    pub(crate) fn time(self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }

    /// A nested object.
    pub(crate) fn object(self, key: &str) -> Option<Payload<'a>> {
        self.0.get(key)?.as_object().map(Payload)
    }

    /// The objects of a nested list; none if it is missing.
    pub(crate) fn objects(self, key: &str) -> Vec<Payload<'a>> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_object).map(Payload).collect()
    }

    /// The length of a nested list.
    pub(crate) fn len(self, key: &str) -> usize {
        self.0.get(key).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// A number as text, also from a JSON string.
    pub(crate) fn number(self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// This object, `{amount, currency}` in major units, as money.
    pub(crate) fn money(self) -> Option<Money> {
        let currency = Currency::from_code(self.text("currency")?)?;
        Money::parse_major(&self.number("amount")?, currency).ok()
    }

    /// Required nested money.
    pub(crate) fn need_money(self, key: &str) -> Result<Money, HandleError> {
        self.object(key)
            .and_then(Payload::money)
            .ok_or_else(|| HandleError::Unreadable(format!("`{key}` is not money")))
    }
}

/// The error for a missing `key`.
pub(crate) fn missing(key: &str) -> HandleError {
    HandleError::Unreadable(format!("`{key}` is missing or not what it should be"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ids::OrderId;

    #[test]
    fn an_id_goes_by_either_name_and_its_absence_is_named() {
        let id = OrderId::generate();
        for value in [json!({"_id": id, "more": [1]}), json!({"id": id})] {
            assert_eq!(Payload::of(&value).unwrap().id(&["_id", "id"]), Ok(id));
        }
        let none = json!({"_id": 7});
        let error = Payload::of(&none).unwrap().id::<OrderId>(&["_id", "id"]).unwrap_err();
        assert!(matches!(error, HandleError::Unreadable(text) if text.contains("_id")));
        assert!(Payload::of(&json!([1])).is_err());
    }

    #[test]
    fn money_is_read_exactly_or_not_at_all() {
        let read = |value: Value| Payload::of(&value).unwrap().need_money("price").ok();
        assert_eq!(
            read(json!({"price": {"amount": 499.5, "currency": "INR"}})),
            Some(Money::new(49_950, Currency::Inr))
        );
        assert_eq!(read(json!({"price": {"amount": "0.1", "currency": "USD"}})), Some(Money::new(10, Currency::Usd)));
        for bad in [json!({"amount": 0.001, "currency": "INR"}), json!({"amount": 1, "currency": "EUR"}), json!(5)] {
            assert_eq!(read(json!({ "price": bad })), None);
        }
    }
}
