//! `rediss://`, as Redis hosters provide it. This needs the real program, because the trusted authority is set in its
//! environment.

use std::path::Path;

use test_support::{Process, Settings, eventually, servers};

/// Waits for this readiness of the program, with the authority that it trusts.
async fn is(redis: &str, authority: &Path, status: &str) {
    let settings = Settings::new().redis(redis).set("MICROBAZAAR_REDIS__TIMEOUT", "5s");
    let more = [("SSL_CERT_FILE", authority.to_str().unwrap())];
    let program = Process::launch(&settings, &more).unwrap();
    eventually(status, async || program.client.readyz().await.1["status"] == status).await;
}

#[actix_rt::test]
async fn redis_over_tls_needs_a_trusted_certificate() {
    let Some(url) = servers::redis() else { return };
    let Some(authority) = servers::authority("TEST_REDIS_CA") else { return };
    let port: u16 = url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let url = format!("rediss://localhost:{}/", port + 1);
    is(&url, &authority, "ready").await;
    let nobody = authority.with_file_name("nobody.pem");
    std::fs::write(&nobody, "").unwrap();
    is(&url, &nobody, "degraded").await;
}
