//! The client for calls to other programs over HTTP.
//!
//! **Invariant:** a client made here follows no redirect and gives up in time.

use std::{error::Error, sync::Once, time::Duration};

use bytes::{Bytes, BytesMut};

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a whole call may take, unless its maker says otherwise.
const WITHIN: Duration = Duration::from_secs(30);

/// A builder of clients. A redirect is an answer like another, for what was signed or
/// confided to one address is not meant for the next.
pub fn builder() -> reqwest::ClientBuilder {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        // Somebody else's choice stands.
        let _known = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .timeout(WITHIN)
}

/// Reads an answer's body; `None` when it is longer than `most` bytes.
///
/// # Errors
/// When the connection breaks, or time is over.
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

/// What went wrong in the end, without the address that was called.
#[must_use]
pub fn why(error: &reqwest::Error) -> String {
    let (mut why, mut cause) = (String::new(), error.source());
    while let Some(error) = cause {
        why = error.to_string();
        cause = error.source();
    }
    why
}
