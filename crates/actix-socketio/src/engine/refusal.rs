//! The answers to requests that are refused.

use actix_web::{HttpResponse, http::StatusCode};

/// Why a request is refused, with the error codes of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The transport is neither polling nor WebSocket.
    #[error("Transport unknown")]
    UnknownTransport,
    /// There is no session with this id, or no longer.
    #[error("Session ID unknown")]
    UnknownSession,
    /// A session has to begin with a GET.
    #[error("Bad handshake method")]
    BadMethod,
    /// The protocol does not allow this request.
    #[error("Bad request")]
    BadRequest,
    /// The application refuses the request, for this reason.
    #[error("{0}")]
    Forbidden(String),
    /// The version is not 4.
    #[error("Unsupported protocol version")]
    UnsupportedVersion,
    /// The body of a POST is too large.
    #[error("Payload too large")]
    TooLarge,
    /// The maximum number of sessions is open, or the server is shutting down.
    #[error("Server busy")]
    Busy,
}

impl Refusal {
    /// The answer to the request.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let (code, status) = match self {
            Self::UnknownTransport => (0, StatusCode::BAD_REQUEST),
            Self::UnknownSession => (1, StatusCode::BAD_REQUEST),
            Self::BadMethod => (2, StatusCode::BAD_REQUEST),
            Self::BadRequest => (3, StatusCode::BAD_REQUEST),
            Self::Forbidden(_) => (4, StatusCode::FORBIDDEN),
            Self::UnsupportedVersion => (5, StatusCode::BAD_REQUEST),
            Self::TooLarge => (3, StatusCode::PAYLOAD_TOO_LARGE),
            Self::Busy => (3, StatusCode::SERVICE_UNAVAILABLE),
        };
        let mut response = HttpResponse::build(status);
        if *self == Self::Busy {
            response.insert_header(("retry-after", "1"));
        }
        response.json(serde_json::json!({ "code": code, "message": self.to_string() }))
    }
}
