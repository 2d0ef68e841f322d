//! The HTTP client for requests to external services.
//!
//! **Invariant:** a client from this module follows no redirects and has timeouts.

use std::{error::Error, time::Duration};

use bytes::{Bytes, BytesMut};

use super::tls;

/// Time limit for connecting.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Default time limit for a whole request.
const WITHIN: Duration = Duration::from_secs(30);

/// A builder of HTTP clients. Redirects are not followed, because signatures and credentials for one address must not
/// be sent to another.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .timeout(WITHIN)
}

/// Reads an answer's body; `None` when it is longer than `most` bytes.
///
/// # Errors
/// When the connection breaks or the time limit passes.
pub async fn body(answer: &mut reqwest::Response, most: usize) -> Result<Option<Bytes>, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// The innermost cause of an error, without the URL.
#[must_use]
pub fn why(error: &reqwest::Error) -> String {
    let (mut why, mut cause) = (String::new(), error.source());
    while let Some(error) = cause {
        why = error.to_string();
        cause = error.source();
    }
    why
}
