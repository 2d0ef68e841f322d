//! Tests against a real SMTP receiver: the npm package smtp-server, run by node. Without
//! node and its modules (`NODE_PATH`, which `scripts/test` sets) they say that they are
//! left out.

mod certificate;
mod letters;
mod login;
mod lost;
mod mute;
mod purchase;
mod receiver;
mod shop;

use std::time::Duration;

/// How long a test waits for what is to happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until it holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
