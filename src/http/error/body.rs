//! The body that every error has.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Which, dotted from the top: `fullName.firstName`.
    #[schema(example = "qty")]
    pub path: String,
    /// What is wrong with it.
    #[schema(example = "must be at least 1")]
    pub msg: String,
}

impl FieldError {
    /// `msg` about `path`.
    pub fn new(path: impl Into<String>, msg: impl Into<String>) -> Self {
        Self { path: path.into(), msg: msg.into() }
    }
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// For people.
    #[schema(example = "only 3 of this product can be bought now")]
    pub message: String,
    /// For programs; stable.
    #[schema(example = "cart.insufficient_stock")]
    pub code: String,
    /// By which the request is found in the log.
    #[schema(example = "9f86d081884c7d65")]
    pub request_id: String,
    /// Only when the input is invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What else the caller needs, such as `available`.
    #[serde(flatten)]
    #[schema(value_type = Object, inline)]
    pub extra: Map<String, Value>,
}
