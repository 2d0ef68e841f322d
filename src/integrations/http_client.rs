//! The client for calls to other programs over HTTP.
//!
//! **Invariant:** a client made here follows no redirect and gives up in time.

use std::{sync::Once, time::Duration};

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
