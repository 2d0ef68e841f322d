//! A real Redis: the shared one, with a prefix for each test; tests that stop it start their own.

mod late;
mod limits;
mod mails;
mod nodes;
mod notifications;
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
use test_support::eventually;

/// A prefix that no other test has.
fn prefix() -> String {
    format!("test:{}:", UserId::generate())
}

/// The connection of one node. A call may take long: the machine may be busy.
async fn node(url: &str, prefix: &str) -> Redis {
    let redis = node_within(url, prefix, Duration::from_secs(5));
    eventually("the node is connected", async || redis.is_up()).await;
    redis
}

fn node_within(url: &str, prefix: &str, timeout: Duration) -> Redis {
    let settings = RedisSettings { url: SecretString::from(url), prefix: prefix.to_owned(), timeout };
    Redis::start(&settings).unwrap()
}
