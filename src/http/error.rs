//! Every error of the API with its status, code and body.
//!
//! **Invariant:** the match over the variants has no catch-all; a new variant must choose its status. The text of an
//! internal error goes to the log and never to the caller.

use std::borrow::Cow;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde_json::{Map, Value};

use super::request_id;
use crate::domain::address::AddressProblem;

mod body;
use body::Problem;
pub use body::{ErrorBody, FieldError};

/// The media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error of a request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApiError {
    /// 400: fields are missing, of a wrong type or out of range.
    #[error("the request is not valid")]
    Validation(Vec<FieldError>),
    /// 400: the request could not be parsed.
    #[error("{0}")]
    Malformed(String),
    /// 400 with a code of its own.
    #[error("{message}")]
    BadRequest { code: &'static str, message: Cow<'static, str> },
    /// 401.
    #[error("{message}")]
    Unauthorized { code: &'static str, message: &'static str },
    /// 403.
    #[error("{message}")]
    Forbidden { code: &'static str, message: &'static str },
    /// 404; the text names what was not found (`product`).
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// 405, with the methods that the path supports.
    #[error("this path does not know this method")]
    MethodNotAllowed { allow: String },
    /// 409: the current state does not allow the request.
    #[error("{message}")]
    Conflict {
        code: &'static str,
        message: String,
        /// Additional fields at the top level of the body.
        extra: Box<Map<String, Value>>,
    },
    /// 412: `If-Match` names another version.
    #[error("it has changed since it was read; read it again")]
    PreconditionFailed,
    /// 413.
    #[error("{0}")]
    TooLarge(Cow<'static, str>),
    /// 415.
    #[error("{0}")]
    UnsupportedMedia(Cow<'static, str>),
    /// 422: well formed, but it cannot be processed.
    #[error("{message}")]
    Unprocessable {
        code: &'static str,
        message: String,
        /// The invalid fields, if the error is about fields.
        errors: Vec<FieldError>,
    },
    /// 429.
    #[error("too many requests; try again in {retry_after} s")]
    TooManyRequests {
        /// Seconds.
        retry_after: u64,
    },
    /// 503: a component is unavailable or busy; nothing was done.
    #[error("the {part} service is not available now")]
    Unavailable {
        part: Cow<'static, str>,
        /// Seconds.
        retry_after: u64,
    },
    /// 503: the request timed out; its outcome is unknown.
    #[error("the answer took too long; whether it was done is not known")]
    OutcomeUnknown,
    /// 500: an internal error. The text is for the log only.
    #[error("something went wrong on our side")]
    Internal(String),
}

impl ApiError {
    /// A validation error of one field.
    pub fn field(path: impl Into<String>, msg: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError::new(path, msg)])
    }

    /// 400 with a code of its own.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest { code, message: message.into() }
    }

    /// 401: no valid token.
    #[must_use]
    pub const fn unauthorized() -> Self {
        Self::Unauthorized { code: "auth.unauthorized", message: "log in first" }
    }

    /// 403: another role, or not the owner.
    #[must_use]
    pub const fn forbidden() -> Self {
        Self::Forbidden { code: "auth.forbidden", message: "this is not yours to do" }
    }

    /// 403: the user's role must have a second factor, and the user has none.
    #[must_use]
    pub const fn two_factor_required() -> Self {
        Self::Forbidden {
            code: "auth.two_factor_required",
            message: "set up two-factor authentication first: your role needs it here",
        }
    }

    /// 409 without additional fields.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into(), extra: Box::default() }
    }

    /// Adds a field to the top level of a conflict's body.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        if let Self::Conflict { extra, .. } = &mut self {
            extra.insert(key.to_owned(), value);
        }
        self
    }

    /// 503 for a component that is expected back within about a second.
    pub fn unavailable(part: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable { part: part.into(), retry_after: 1 }
    }

    /// 422 for an order's address with these problems; `path` is the address's field.
    #[must_use]
    pub fn bad_address(path: &str, problems: &[AddressProblem]) -> Self {
        let named =
            |problem: &AddressProblem| FieldError::new(format!("{path}.{}", problem.field), problem.what.clone());
        let errors = problems.iter().map(named).collect();
        let message = "nothing can be sent to this address".to_owned();
        Self::Unprocessable { code: "order.bad_address", message, errors }
    }

    /// An error for a user's address with these problems: 400 while a line is missing, else 422.
    #[must_use]
    pub fn of_address(problems: &[AddressProblem]) -> Self {
        let errors =
            problems.iter().map(|problem| FieldError::new(problem.field.clone(), problem.what.clone())).collect();
        if problems.iter().any(|problem| problem.is_malformed) {
            return Self::Validation(errors);
        }
        let message = "nothing can be sent to this address".to_owned();
        Self::Unprocessable { code: "auth.bad_address", message, errors }
    }

    /// Renames a field in the errors of fields.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Self::Validation(errors) = &mut self {
            errors.iter_mut().filter(|error| error.path == from).for_each(|error| to.clone_into(&mut error.path));
        }
        self
    }

    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "request.invalid",
            Self::Malformed(_) => "request.malformed",
            Self::BadRequest { code, .. }
            | Self::Unauthorized { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Conflict { code, .. }
            | Self::Unprocessable { code, .. } => code,
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed { .. } => "request.method_not_allowed",
            Self::PreconditionFailed => "request.precondition_failed",
            Self::TooLarge(_) => "request.too_large",
            Self::UnsupportedMedia(_) => "request.unsupported_media",
            Self::TooManyRequests { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal(_) => "internal",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Validation(_) | Self::Malformed(_) | Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMedia(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::OutcomeUnknown => Some(1),
            _ => None,
        }
    }

    /// The body for the request with this id.
    #[must_use]
    pub fn body(&self, request_id: &str) -> ErrorBody {
        let errors = match self {
            Self::Validation(errors) | Self::Unprocessable { errors, .. } => errors.clone(),
            _ => vec![],
        };
        let extra = if let Self::Conflict { extra, .. } = self { (**extra).clone() } else { Map::new() };
        ErrorBody {
            message: self.to_string(),
            code: self.code().to_owned(),
            request_id: request_id.to_owned(),
            errors,
            extra,
        }
    }

    /// The response for the request with this id.
    #[must_use]
    pub fn response(&self, request_id: &str) -> HttpResponse {
        self.head(request_id).json(self.body(request_id))
    }

    /// The same as problem details (RFC 9457): the members of the body stay, beside those of the format.
    #[must_use]
    pub fn problem(&self, request_id: &str) -> HttpResponse {
        let status = self.status();
        let body = self.body(request_id);
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: body.message.clone(),
            body,
        };
        let mut response = self.head(request_id).json(problem);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }

    fn head(&self, request_id: &str) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status());
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Self::MethodNotAllowed { allow } = self {
            response.insert_header((ALLOW, allow.as_str()));
        }
        if matches!(self, Self::Unauthorized { .. }) {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        response.insert_header((request_id::HEADER, request_id));
        response
    }

    /// The error for a status that the framework answered with.
    #[must_use]
    pub fn from_status(status: StatusCode, detail: &str) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::unauthorized(),
            StatusCode::FORBIDDEN => Self::forbidden(),
            StatusCode::NOT_FOUND => Self::NotFound("page"),
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed { allow: String::new() },
            StatusCode::PRECONDITION_FAILED => Self::PreconditionFailed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge("the body is too large".into()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMedia("this media type is not understood".into()),
            status if status.is_client_error() => Self::Malformed("the request could not be read".into()),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable("requested"),
            _ => Self::Internal(detail.to_owned()),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response(&request_id::new())
    }
}
