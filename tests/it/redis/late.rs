//! A Redis that was late once is used again.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use test_support::{Proxy, eventually, servers};

use super::{node_within, prefix};

/// A connection is checked within this time, and closed if it does not work.
const STAYS: Duration = Duration::from_millis(2_500);

#[actix_rt::test]
async fn a_redis_that_was_late_once_is_used_again() {
    let Some(url) = servers::redis() else { return };
    let proxy = Proxy::start(&url);
    let redis = node_within(&proxy.url, &prefix(), Duration::from_secs(1));
    eventually("the node is connected", async || redis.is_up()).await;
    // There are no calls: the connection task itself finds it late.
    proxy.hold_to_client(true);
    eventually("it is lost", async || !redis.is_up()).await;
    proxy.hold_to_client(false);
    let since = Mutex::new((0, Instant::now()));
    eventually("one connection stays", async || {
        let generation = redis.session().map_or(0, |session| session.generation());
        let mut since = since.lock();
        if since.0 != generation || generation == 0 {
            *since = (generation, Instant::now());
        }
        since.1.elapsed() >= STAYS
    })
    .await;
}
