//! Takes typed values out of the merged layers.
//!
//! **Invariant:** the value of a secret goes into a `SecretString` and nowhere else: not
//! into an error, not into the list of settings.

use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr, time::Duration};

use figment::value::{Num, Value};
use secrecy::SecretString;

use super::{error::ConfigError, error::quoted, layers::Found, values};

/// A key, its value as it may be shown, and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key.
    pub key: &'static str,
    /// The value; `(set)` for a secret.
    pub shown: String,
    /// `default`, a file, a variable or a flag.
    pub origin: String,
}

/// Reads key by key and remembers what it read.
pub(super) struct Reader {
    found: BTreeMap<String, Found>,
    pub(super) settings: Vec<Setting>,
}

impl Reader {
    pub(super) fn new(found: BTreeMap<String, Found>) -> Self {
        Self { found, settings: Vec::new() }
    }

    /// The value of `key` as `parse` reads it.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let text = self.scalar(key)?;
        let value = parse(&text).map_err(|problem| self.refused(key, &problem))?;
        self.remember(key, text);
        Ok(value)
    }

    /// As [`Reader::parsed`], with `None` for an empty text.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        if self.is_empty(key) {
            self.remember(key, "(not set)".into());
            return Ok(None);
        }
        self.parsed(key, parse).map(Some)
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Result<String, ConfigError> {
        self.parsed(key, |text| match text {
            "" => Err("must not be empty".into()),
            text if text.contains(char::is_control) => Err("must be one line of text".into()),
            text => Ok(text.to_owned()),
        })
    }

    /// A secret, `None` for an empty one.
    pub(super) fn secret(&mut self, key: &'static str) -> Result<Option<SecretString>, ConfigError> {
        let secret = match self.found.get(key).map(|found| &found.value) {
            Some(Value::String(_, text)) => Some(text).filter(|text| !text.trim().is_empty()),
            Some(Value::Char(..)) | None => None,
            Some(_) => return Err(self.refused(key, "is not a text; write it in quotes")),
        };
        let secret = secret.map(|text| SecretString::from(text.as_str()));
        self.remember(key, if secret.is_some() { "(set)" } else { "(not set)" }.into());
        Ok(secret)
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, ConfigError> {
        self.parsed(key, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{} is not true or false", quoted(text))),
        })
    }

    pub(super) fn whole<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> Result<N, ConfigError>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        self.parsed(key, |text| values::whole(text, range))
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Result<Duration, ConfigError> {
        self.parsed(key, values::duration)
    }

    pub(super) fn word<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        self.parsed(key, |text| values::word(text, choices))
    }

    /// A list: an array of texts, or one text with commas.
    pub(super) fn list(&mut self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        let refused = "is not a list; write for example [\"one\", \"two\"], or one,two in a variable";
        let items = match self.found.get(key).map(|found| &found.value) {
            Some(Value::String(_, text)) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Some(Value::Array(_, items)) => {
                let texts = items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()));
                texts.collect::<Option<Vec<_>>>().ok_or_else(|| self.refused(key, refused))?
            }
            _ => return Err(self.refused(key, refused)),
        };
        let items: Vec<String> = items.into_iter().filter(|item| !item.is_empty()).collect();
        let shown = if items.is_empty() { "(none)".to_owned() } else { items.join(", ") };
        self.remember(key, shown);
        Ok(items)
    }

    /// A list of which each item is read by `parse`.
    pub(super) fn list_of<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let items = self.list(key)?;
        items.iter().map(|item| parse(item).map_err(|problem| self.refused(key, &problem))).collect()
    }

    /// `problem`, with where the value was set.
    pub(super) fn refused(&self, key: &str, problem: &str) -> ConfigError {
        match self.found.get(key).map(|found| found.origin.as_str()) {
            Some(origin) if !origin.is_empty() => ConfigError::new(key, format!("{problem} (set by {origin})")),
            _ => ConfigError::new(key, problem),
        }
    }

    fn is_empty(&self, key: &str) -> bool {
        matches!(self.found.get(key).map(|found| &found.value), Some(Value::String(_, text)) if text.trim().is_empty())
    }

    fn scalar(&self, key: &'static str) -> Result<String, ConfigError> {
        let found = self.found.get(key).ok_or_else(|| ConfigError::new(key, "is missing"))?;
        match &found.value {
            Value::String(_, text) => Ok(text.trim().to_owned()),
            Value::Char(_, letter) => Ok(letter.to_string()),
            Value::Bool(_, flag) => Ok(flag.to_string()),
            Value::Num(_, number) => Ok(written(number)),
            _ => Err(self.refused(key, "is not a single value")),
        }
    }

    fn remember(&mut self, key: &'static str, shown: String) {
        let origin = self.found.get(key).map(|found| found.origin.clone()).unwrap_or_default();
        self.settings.push(Setting { key, shown, origin });
    }
}

/// Whether nobody set it.
pub(super) fn is_default(setting: &Setting) -> bool {
    setting.origin == "default"
}

/// A number as a person writes it.
fn written(number: &Num) -> String {
    let signed = number.to_i128().map(|value| value.to_string());
    let unsigned = number.to_u128().map(|value| value.to_string());
    signed.or(unsigned).or(number.to_f64().map(|value| value.to_string())).unwrap_or_default()
}
