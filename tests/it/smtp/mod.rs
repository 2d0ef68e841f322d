//! Tests against a real SMTP receiver: the npm package smtp-server, run by node. Without node and its modules
//! (`NODE_PATH`, which `scripts/test` sets) they print a note and are skipped.

mod certificate;
mod headers;
mod login;
mod lost;
mod purchase;
mod receiver;
mod shop;
mod silent;

use std::time::Duration;

/// The deadline of a test's waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
