//! Tests of the chat's sockets from outside.

mod chat;

use std::time::Duration;

/// How long a test waits for an expected event.
const DEADLINE: Duration = Duration::from_secs(60);
