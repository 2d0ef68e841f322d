//! Money in JSON: `{"amount": 499.5, "currency": "INR"}` in major units.
//!
//! **Invariant:** a parsed amount is exactly the decimal that was written. A JSON number of up to 15 digits survives
//! a 64-bit float; longer ones are refused earlier (`http::extract`), or have more decimals than money has.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::domain::money::{Currency, Money, MoneyError};

/// An amount in major units: a JSON number, an integer if it is whole, else with up to two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    minor: i64,
}

impl Amount {
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self { minor }
    }

    /// In minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    #[must_use]
    pub const fn of(self, currency: Currency) -> Money {
        Money::new(self.minor, currency)
    }

    /// Parses major units as people write them, also with an exponent (`1e3`).
    ///
    /// # Errors
    /// [`MoneyError`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        // All currencies have two digits of minor units, so that any currency will do.
        let parse = |text: &str| Money::parse_major(text, Currency::Inr).map(|money| Self { minor: money.minor() });
        match text.split_once(['e', 'E']) {
            None => parse(text),
            Some((mantissa, exponent)) => parse(&shift(mantissa, exponent)?),
        }
    }
}

/// `mantissa` × 10^`exponent` written out.
fn shift(mantissa: &str, exponent: &str) -> Result<String, MoneyError> {
    let exponent: i32 = exponent.parse().map_err(|_| MoneyError::NotANumber)?;
    if !(-30..=30).contains(&exponent) || mantissa.len() > 40 || !mantissa.is_ascii() {
        return Err(MoneyError::TooLarge);
    }
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let steps = usize::try_from(exponent.unsigned_abs()).map_err(|_| MoneyError::TooLarge)?;
    let (whole, fraction) = if exponent >= 0 {
        let padded = format!("{fraction:0<steps$}");
        (format!("{whole}{}", &padded[..steps]), padded[steps..].to_owned())
    } else {
        let width = steps + 1;
        let padded = format!("{whole:0>width$}");
        let point = padded.len() - steps;
        (padded[..point].to_owned(), format!("{}{fraction}", &padded[point..]))
    };
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The float nearest to the amount in major units; its shortest text is the decimal.
fn major(minor: i64) -> Option<f64> {
    let high = i32::try_from(minor / 1_000_000).ok()?;
    let low = i32::try_from(minor % 1_000_000).ok()?;
    Some((f64::from(high) * 1e6 + f64::from(low)) / 100.0)
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.minor % 100 == 0 {
            return serializer.serialize_i64(self.minor / 100);
        }
        match major(self.minor) {
            Some(major) => serializer.serialize_f64(major),
            None => Err(serde::ser::Error::custom(MoneyError::TooLarge)),
        }
    }
}

struct AmountVisitor;

impl de::Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount as a decimal number")
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Amount, E> {
        self.visit_str(itoa::Buffer::new().format(whole))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Amount, E> {
        self.visit_str(itoa::Buffer::new().format(whole))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        // The shortest text of this float, which is the decimal that was written.
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        Amount::parse(text).map_err(E::custom)
    }
}

/// Takes numbers alone: what a program means by a text it should say.
struct NumberVisitor;

impl de::Visitor<'_> for NumberVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AmountVisitor.expecting(f)
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Amount, E> {
        AmountVisitor.visit_i64(whole)
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Amount, E> {
        AmountVisitor.visit_u64(whole)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        AmountVisitor.visit_f64(number)
    }
}

/// Reads an amount of a request, which is a number. Queries and messages of other programs may have a text.
///
/// # Errors
/// When it is no number, or not an amount.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
    from.deserialize_any(NumberVisitor)
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Major units with at most two decimals"))
            .examples([serde_json::json!(499.5)]);
        RefOr::T(Schema::Object(number.build()))
    }
}

impl ToSchema for Amount {}

/// Money, of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"amount": 499.5, "currency": "INR"}))]
pub struct MoneyView {
    /// Major units.
    pub amount: Amount,
    /// `INR` or `USD`.
    #[schema(schema_with = super::words::currency)]
    pub currency: Currency,
}

impl From<Money> for MoneyView {
    fn from(money: Money) -> Self {
        Self { amount: Amount::from_minor(money.minor()), currency: money.currency() }
    }
}

impl From<MoneyView> for Money {
    fn from(view: MoneyView) -> Self {
        view.amount.of(view.currency)
    }
}

/// Money in a request: without a currency it has the context's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 499.5, "currency": "INR"}))]
pub struct MoneyInput {
    /// Major units.
    #[serde(deserialize_with = "number")]
    pub amount: Amount,
    /// `INR` or `USD`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "INR")]
    pub currency: Option<Currency>,
}

impl MoneyInput {
    #[must_use]
    pub fn or(self, currency: Currency) -> Money {
        self.amount.of(self.currency.unwrap_or(currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn money_survives_the_wire(minor in -100_000_000_000_000_i64..=100_000_000_000_000) {
            let text = serde_json::to_string(&Amount::from_minor(minor)).unwrap();
            if minor.abs() <= 1_000_000_000_000 {
                prop_assert_eq!(serde_json::from_str::<Amount>(&text).unwrap().minor(), minor);
            }
            let (whole, rest) = (minor.abs() / 100, minor.abs() % 100);
            let sign = if minor < 0 { "-" } else { "" };
            let decimal = format!("{sign}{whole}.{rest:02}");
            let exact = if rest == 0 { format!("{sign}{whole}") } else { decimal.trim_end_matches('0').to_owned() };
            prop_assert_eq!(text, exact);
        }
    }

    #[test]
    fn numbers_and_numeric_strings_are_read_exactly() {
        for (json, minor) in [
            ("499.5", 49_950),
            ("0.07", 7),
            ("1", 100),
            ("\"19.99\"", 1_999),
            ("1.10", 110),
            ("-3", -300),
            ("1e3", 100_000),
            ("\"1.5e1\"", 1_500),
            ("\"5e-1\"", 50),
            ("\"125e-2\"", 125),
        ] {
            assert_eq!(serde_json::from_str::<Amount>(json).unwrap().minor(), minor, "{json}");
        }
    }

    #[test]
    fn a_third_decimal_and_other_text_are_refused() {
        for json in [
            "0.001",
            "10.999",
            "1e-3",
            "\"1.005\"",
            "\"\"",
            "\"abc\"",
            "true",
            "null",
            "[]",
            "1e30",
            "1e300",
            "\"1e99999999999\"",
            "\"é\"",
            "\"1.\"",
            "\"e\"",
            "\"-é e5\"",
            "18446744073709551615",
        ] {
            assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn money_of_a_request_has_a_number() {
        let read = |json: &str| serde_json::from_str::<MoneyInput>(json);
        assert_eq!(read(r#"{"amount": 499.5}"#).unwrap().amount.minor(), 49_950);
        assert_eq!(read(r#"{"amount": -3}"#).unwrap().amount.minor(), -300);
        for amount in [r#""499.5""#, r#""""#, r#""5""#, "null", "true", "[5]", r#"{"amount": 5}"#, "0.001"] {
            assert!(read(&format!(r#"{{"amount": {amount}}}"#)).is_err(), "{amount}");
        }
    }

    #[test]
    fn an_unknown_currency_is_refused() {
        assert!(serde_json::from_str::<MoneyView>(r#"{"amount": 1, "currency": "EUR"}"#).is_err());
        assert_eq!(
            serde_json::to_string(&MoneyView::from(Money::new(5_000, Currency::Usd))).unwrap(),
            r#"{"amount":50,"currency":"USD"}"#
        );
    }
}
