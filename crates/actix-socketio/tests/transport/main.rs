//! Tests of the transport from outside: with plain HTTP, and with the official client
//! `socket.io-client` and raw WebSockets, run by node. Without node and its modules (`NODE_PATH`,
//! which `scripts/test` sets) the latter print that they are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod chat;
mod hostile;
mod limits;
mod polling;
mod server;
mod stock_client;

use std::time::Duration;

/// How long a test waits for an expected event.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
