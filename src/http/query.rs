//! Query strings and forms. Callers of the API are read strictly: a duplicate, bad percent-encoding or a value of
//! the wrong type is 400 with the parameter's name, never a guess. Pages take what they cannot read as absent.

use std::{
    borrow::Cow,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use garde::Validate;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::{
    error::ApiError,
    extract::{field_error, validate},
};

/// Valid query parameters. Parameters that `T` does not know are ignored.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T> FromRequest for Query<T>
where
    T: DeserializeOwned + Validate + 'static,
    T::Context: Default,
{
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(req.query_string()).and_then(|value| {
            validate(&value)?;
            Ok(Self(value))
        }))
    }
}

/// Parses a query string. Not by `serde_html_form`, which takes `limit=` as no limit.
///
/// # Errors
/// [`ApiError::Validation`] that names the parameter.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let bad = |name: &str| ApiError::field(name, "is not valid percent-encoded text");
    for (key, value) in pairs(query) {
        let key = key.ok_or_else(|| bad(""))?;
        value.ok_or_else(|| bad(&key))?;
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let (path, said) = (error.path().to_string(), error.inner().to_string());
        ApiError::Validation(vec![field_error(&path, in_plain_words(&said))])
    })
}

/// What the standard library says of numbers and flags, as callers may read it.
fn in_plain_words(said: &str) -> &str {
    match said {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type" => "must be a whole number of 0 or more",
        "provided string was not `true` or `false`" => "must be true or false",
        other => other,
    }
}

/// The names and values of a form-encoded text; `None` for what is not valid percent-encoded UTF-8.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// The first readable value of `name`.
pub(super) fn value(query: &str, name: &str) -> Option<String> {
    pairs(query).find_map(|(found, value)| value.filter(|_| found.is_some_and(|found| found == name)))
}

/// Undoes form encoding. `form_urlencoded` alone takes `%zz` as it stands and mends what is no UTF-8.
fn decode(text: &str) -> Option<String> {
    let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Cow::into_owned)
}
