//! Request ids, which connect an error's body, the response header and the log. An id is made only when it is needed;
//! the client's own is used if it is safe.

use std::fmt::Write;

use actix_web::http::header::{HeaderMap, HeaderName};

/// The header that carries the id in requests and responses.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a client.
const MAX: usize = 64;

/// A new id: 16 random hex digits.
#[must_use]
pub fn new() -> String {
    let mut id = String::with_capacity(16);
    // Writing to a string cannot fail.
    let _infallible = write!(id, "{:016x}", rand::random::<u64>());
    id
}

/// The client's id, if it has up to 64 safe characters.
#[must_use]
pub fn of_client(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (!id.is_empty() && id.len() <= MAX && id.bytes().all(safe)).then_some(id)
}
