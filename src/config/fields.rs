//! How serde reads a field of a section: the functions that its `deserialize_with` names.
//!
//! A value may come from a file with its type, or from a variable as text; each is read from
//! its text, by the same function.
//!
//! **Invariant:** the value of a secret goes into a `SecretString` and nowhere else: neither into an error nor into
//! serialized output.

use std::{path::PathBuf, str::FromStr, time::Duration};

use figment::value::Value;
use serde::{Deserialize, Deserializer, de::Error};

use super::{
    EmailVerification, Environment, LogFormat, Network,
    error::quoted,
    public_url,
    values::{self, word},
};
use crate::domain::user::Role;

/// The name of a level. An alias, because serde would borrow a visible `&str`.
pub(super) type LogLevel = &'static str;

const ENVIRONMENTS: [(&str, Environment); 2] =
    [("development", Environment::Development), ("production", Environment::Production)];
const VERIFICATIONS: [(&str, EmailVerification); 3] =
    [("off", EmailVerification::Off), ("remind", EmailVerification::Remind), ("required", EmailVerification::Required)];
/// The roles of stored users.
const ROLES: [(&str, Role); 3] = [("user", Role::User), ("seller", Role::Seller), ("admin", Role::Admin)];
const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A text format of a value.
pub(super) trait TextFormat {
    type Value;

    /// Parses `text`; the error is worded to follow the key.
    fn parse(text: &str) -> Result<Self::Value, String>;
}

/// Names the functions of `values` for use in a field's attribute.
macro_rules! formats {
    ($($name:ident: $value:ty = $parse:expr;)*) => {$(
        pub(super) struct $name;

        impl TextFormat for $name {
            type Value = $value;

            fn parse(text: &str) -> Result<$value, String> {
                $parse(text)
            }
        }
    )*};
}

formats! {
    Any: String = |text: &str| Ok(text.to_owned());
    Text: String = values::text;
    FilePath: PathBuf = |text: &str| values::text(text).map(PathBuf::from);
    Flag: bool = |text: &str| text.parse().map_err(|_| format!("{} is not true or false", quoted(text)));
    HumanDuration: Duration = values::duration;
    Percent: u32 = values::percent;
    Amount: i64 = values::amount;
    Host: String = values::host;
    BaseUrl: String = values::base_url;
    Page: String = values::page;
    AddressOrPage: String = values::address_or_page;
    Origin: String = values::origin;
    PublicOrigin: String = public_url::read;
    IpNetwork: Network = |text: &str| text.parse().map_err(|problem| format!("{} {problem}", quoted(text)));
    Sender: String = values::sender;
    DatabasePrefix: String = values::database_prefix;
    KeyPrefix: String = values::key_prefix;
    LogLevelName: LogLevel = |text: &str| word(text, &LEVELS.map(|level| (level, level)));
    RoleName: Role = |text: &str| word(text, &ROLES);
    VerificationName: EmailVerification = |text: &str| word(text, &VERIFICATIONS);
    LogFormatName: LogFormat = |text: &str| word(text, &FORMATS);
    EnvironmentName: Environment = |text: &str| word(text, &ENVIRONMENTS);
}

/// The value as `F` reads it.
pub(super) fn one<'de, F: TextFormat, D: Deserializer<'de>>(from: D) -> Result<F::Value, D::Error> {
    F::parse(&scalar_text(from)?).map_err(D::Error::custom)
}

/// As [`one`], with `None` for an empty text.
pub(super) fn optional<'de, F: TextFormat, D: Deserializer<'de>>(from: D) -> Result<Option<F::Value>, D::Error> {
    let text = scalar_text(from)?;
    if text.is_empty() { Ok(None) } else { F::parse(&text).map(Some).map_err(D::Error::custom) }
}

/// A list whose items are read by `F`.
pub(super) fn list<'de, F: TextFormat, D: Deserializer<'de>>(from: D) -> Result<Vec<F::Value>, D::Error> {
    items(from)?.iter().map(|item| F::parse(item).map_err(D::Error::custom)).collect()
}

/// A whole number from `MIN` to `MAX`. The range is checked here and not by garde, so that the error for a text that
/// is not a number names it too.
pub(super) fn whole<'de, const MIN: u64, const MAX: u64, N, D>(from: D) -> Result<N, D::Error>
where
    N: FromStr,
    D: Deserializer<'de>,
{
    let text = scalar_text(from)?;
    let fits = text.parse().is_ok_and(|number| (MIN..=MAX).contains(&number));
    let number = text.parse().ok().filter(|_| fits);
    number.ok_or_else(|| {
        D::Error::custom(format_args!("{} is not a whole number between {MIN} and {MAX}", quoted(&text)))
    })
}

/// `MIN` to `MAX` durations, each longer than none.
pub(super) fn durations<'de, const MIN: usize, const MAX: usize, D>(from: D) -> Result<Vec<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    let durations = list::<HumanDuration, D>(from)?;
    if (MIN..=MAX).contains(&durations.len()) {
        return Ok(durations);
    }
    Err(D::Error::custom(format_args!("must be {MIN} to {MAX} durations; write for example 10s,1m,1h")))
}

pub(super) fn four_durations<'de, D: Deserializer<'de>>(from: D) -> Result<[Duration; 4], D::Error> {
    let wrong = |_| D::Error::custom("must be four durations; write for example 1s,10s,1m,10m");
    list::<HumanDuration, D>(from)?.try_into().map_err(wrong)
}

/// The items of a list: an array of texts, or one text with commas.
pub(super) fn items<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts: Option<Vec<String>> = match <Value as Deserialize>::deserialize(from)? {
        Value::String(_, text) => Some(text.split(',').map(str::to_owned).collect()),
        Value::Array(_, items) => items.into_iter().map(Value::into_string).collect(),
        _ => None,
    };
    let refused = "is not a list; write for example [\"one\", \"two\"], or one,two in a variable";
    let texts = texts.ok_or_else(|| D::Error::custom(refused))?;
    Ok(texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect())
}

/// The text of a single value.
fn scalar_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    scalar(&<Value as Deserialize>::deserialize(from)?).ok_or_else(|| D::Error::custom("is not a single value"))
}

/// A single value as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.trim().to_owned()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => {
            number.to_i128().map(|whole| whole.to_string()).or(number.to_f64().map(|decimal| decimal.to_string()))
        }
        _ => None,
    }
}

/// A secret, `None` for an empty one. Serialization shows only whether it is set.
pub(super) mod hidden {
    use secrecy::SecretString;
    use serde::Serializer;

    use super::{Deserialize, Deserializer, Error, Value};

    pub(in super::super) const SET: &str = "(set)";
    pub(in super::super) const NOT_SET: &str = "(not set)";

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
        match <Value as Deserialize>::deserialize(from)? {
            Value::String(_, text) => Ok(Some(text).filter(|text| !text.trim().is_empty()).map(SecretString::from)),
            _ => Err(D::Error::custom("is not a text; write it in quotes")),
        }
    }

    // serde passes a reference to the option.
    pub(in super::super) fn serialize<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if secret.is_some() { SET } else { NOT_SET })
    }
}
