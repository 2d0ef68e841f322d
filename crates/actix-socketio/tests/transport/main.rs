//! Tests of the transport from outside: by plain HTTP, and by the stock client
//! `socket.io-client` and raw WebSockets, run by node. Without node and its modules (`NODE_PATH`,
//! which `scripts/test` sets) the latter say that they are left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod hostile;
mod limits;
mod polling;
mod server;
mod stock_client;
mod talk;

use std::time::Duration;

/// How long a test waits for what is to happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until it holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
