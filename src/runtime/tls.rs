//! TLS to other servers: the machine's certificate authorities are trusted.

use std::sync::OnceLock;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What every client connects with; the authorities are read once. Where the machine has none, no server is trusted:
/// each connection fails by itself, and a shop that needs none starts.
#[must_use]
pub fn client() -> ClientConfig {
    static CLIENT: OnceLock<ClientConfig> = OnceLock::new();
    CLIENT.get_or_init(load).clone()
}

fn load() -> ClientConfig {
    // For the libraries that ask for the default; if a provider is installed already, it stays.
    let _known = ring::default_provider().install_default();
    let mut authorities = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    if let (0, _) = authorities.add_parsable_certificates(found.certs) {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        tracing::warn!(why, "the machine has no certificate authorities; no server is trusted over TLS");
    }
    ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth()
}
