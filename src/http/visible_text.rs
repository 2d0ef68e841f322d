//! Deserializers for text in JSON bodies: invisible characters at the ends are removed.
//!
//! **Invariant:** the result is empty or has visible characters at both ends.

use serde::{Deserialize, Deserializer, de::Error};

use crate::domain::text::{trim_invisible, visible_or_empty};

/// The error of a text that consists of invisible characters.
pub const BLANK: &str = "must not be blank";

/// What may be absent, and is no `null` where it is there.
///
/// # Errors
/// When it is `null`, or nothing that can be read.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A text without invisible characters at its ends; the caller decides whether it may be empty.
///
/// # Errors
///
/// When it is not a text.
pub fn trimmed<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| trim_invisible(&text).to_owned())
}

/// As [`trimmed`], for a field that may be absent.
///
/// # Errors
///
/// When it is not a text.
pub fn trimmed_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.map(|text| trim_invisible(&text).to_owned()))
}

/// A text that may be absent or empty; any other text must have a visible character.
///
/// # Errors
///
/// When it is not a text, or has only invisible characters.
pub fn visible_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let seen = visible_or_empty(&text).ok_or_else(|| D::Error::custom(BLANK))?;
    Ok(Some(seen.to_owned()))
}
