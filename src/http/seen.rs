//! Text of JSON bodies that must be seen: it is read without the invisible characters at its ends.
//!
//! **Invariant:** what is read here is empty or has something to be seen at both ends.

use serde::{Deserialize, Deserializer, de::Error};

use crate::domain::text::{trim_invisible, visible_or_empty};

/// What is wrong with a text that is there and shows nothing.
pub const BLANK: &str = "must not be blank";

/// A text; whether it may be empty is for whoever reads it.
///
/// # Errors
/// When it is no text.
pub fn trimmed<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| trim_invisible(&text).to_owned())
}

/// As [`trimmed`], of one that may be absent.
///
/// # Errors
/// When it is no text.
pub fn trimmed_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.map(|text| trim_invisible(&text).to_owned()))
}

/// A text that may be absent or empty, and is seen if it is neither.
///
/// # Errors
/// When it is no text, or has invisible characters alone.
pub fn seen_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let seen = visible_or_empty(&text).ok_or_else(|| D::Error::custom(BLANK))?;
    Ok(Some(seen.to_owned()))
}
