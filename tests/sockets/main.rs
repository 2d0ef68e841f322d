//! Tests of the chat's sockets from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod chat;

use std::time::Duration;

/// How long a test waits for what is to happen.
const DEADLINE: Duration = Duration::from_secs(60);
