//! Query strings, parsed strictly: a duplicate parameter, bad percent-encoding or a value of the wrong type is a 400
//! that names the parameter.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use garde::Validate;
use serde::{
    Deserializer,
    de::{self, DeserializeOwned, IntoDeserializer, value::MapDeserializer},
    forward_to_deserialize_any,
};

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

/// Parses a query string.
///
/// # Errors
/// [`ApiError::Validation`] that names the parameter.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = pairs(query)?;
    let map = MapDeserializer::<_, de::value::Error>::new(pairs.into_iter());
    serde_path_to_error::deserialize(map).map_err(|error| {
        let path = error.path().to_string();
        ApiError::Validation(vec![field_error(&path, &error.into_inner().to_string())])
    })
}

fn pairs(query: &str) -> Result<Vec<(String, Text)>, ApiError> {
    let split = query.split('&').filter(|pair| !pair.is_empty());
    split
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bad = |name: &str| ApiError::field(name, "is not valid percent-encoded text");
            let key = decode(key).ok_or_else(|| bad(""))?;
            let value = decode(value).ok_or_else(|| bad(&key))?;
            Ok((key, Text(value)))
        })
        .collect()
}

/// Decodes form encoding; `None` when the text is not valid or not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let mut decoded = [0_u8];
                hex::decode_to_slice(digits, &mut decoded).ok()?;
                decoded[0]
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A value that can be deserialized as text, a number or a flag.
struct Text(String);

impl IntoDeserializer<'_, de::value::Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident, $visit:ident, $what:literal;)*) => {
        $(fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::custom(concat!("must be ", $what))),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.0)
    }

    parsed! {
        deserialize_bool, visit_bool, "true or false";
        deserialize_u8, visit_u8, "a whole number of 0 or more";
        deserialize_u16, visit_u16, "a whole number of 0 or more";
        deserialize_u32, visit_u32, "a whole number of 0 or more";
        deserialize_u64, visit_u64, "a whole number of 0 or more";
        deserialize_i32, visit_i32, "a whole number";
        deserialize_i64, visit_i64, "a whole number";
        deserialize_f64, visit_f64, "a number";
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
