//! What a request that is not taken is answered.

use actix_web::{HttpResponse, http::StatusCode};

/// Why a request is not taken, with the codes of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither polling nor WebSocket.
    #[error("Transport unknown")]
    UnknownTransport,
    /// No session has this id, or not any more.
    #[error("Session ID unknown")]
    UnknownSession,
    /// A session begins with a GET.
    #[error("Bad handshake method")]
    BadMethod,
    /// Not what the protocol allows here.
    #[error("Bad request")]
    BadRequest,
    /// Not allowed, and why.
    #[error("{0}")]
    Forbidden(String),
    /// Another version than 4.
    #[error("Unsupported protocol version")]
    UnsupportedVersion,
    /// A POST with too many bytes.
    #[error("Payload too large")]
    TooLarge,
    /// As many sessions as there may be, or the server ends.
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
