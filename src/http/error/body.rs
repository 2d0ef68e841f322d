//! The body that every error has.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A problem with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The field, dotted from the top: `fullName.firstName`.
    #[schema(example = "qty")]
    pub path: String,
    /// The problem.
    #[schema(example = "must be at least 1")]
    pub msg: String,
}

impl FieldError {
    pub fn new(path: impl Into<String>, msg: impl Into<String>) -> Self {
        Self { path: path.into(), msg: msg.into() }
    }
}

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A message for people.
    #[schema(example = "only 3 of this product can be bought now")]
    pub message: String,
    /// A stable code for programs.
    #[schema(example = "cart.insufficient_stock")]
    pub code: String,
    /// The id under which the log has the request.
    #[schema(example = "9f86d081884c7d65")]
    pub request_id: String,
    /// The invalid fields, if the input is invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Additional data, such as `available`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An error as problem details (RFC 9457).
#[derive(Serialize)]
pub(super) struct Problem {
    pub(super) r#type: &'static str,
    pub(super) title: &'static str,
    pub(super) status: u16,
    pub(super) detail: String,
    #[serde(flatten)]
    pub(super) body: ErrorBody,
}
