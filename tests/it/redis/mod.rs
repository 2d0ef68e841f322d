//! Tests against a real Redis: the one that `scripts/test` starts and names in `TEST_REDIS_URL`, with a prefix for
//! each test; tests that stop it start their own. Without it they print a note and are skipped.

mod late;
mod limits;
mod mails;
mod nodes;
mod notifications;
pub mod server;
mod shop;
mod store;
mod tls;
mod tokens;

use std::time::Duration;

use microbazaar::{
    domain::ids::UserId,
    integrations::redis::{Redis, RedisSettings},
};
use secrecy::SecretString;

/// The deadline of a test's waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// The shared Redis; prints a note and returns `None` where there is none.
fn shared_redis() -> Option<String> {
    let url = std::env::var("TEST_REDIS_URL").ok();
    if url.is_none() {
        eprintln!("left out: TEST_REDIS_URL names no Redis");
    }
    url
}

/// A prefix that no other test has.
fn prefix() -> String {
    format!("test:{}:", UserId::generate())
}

/// The connection of one node. A call may take long: the machine may be busy.
async fn node(url: &str, prefix: &str) -> Redis {
    let redis = node_within(url, prefix, Duration::from_secs(5));
    until("the node is connected", async || redis.is_up()).await;
    redis
}

fn node_within(url: &str, prefix: &str, timeout: Duration) -> Redis {
    let settings = RedisSettings { url: SecretString::from(url), prefix: prefix.to_owned(), timeout };
    Redis::start(&settings).unwrap()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
