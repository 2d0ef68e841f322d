//! What the integration tests share: a shop that is started ([`Shop`]) or run as a program ([`Process`]), a [`Client`]
//! of either, the servers and programs that stand beside it, and waiting ([`eventually`]).
//!
//! **Invariant:** a test waits for what it expects, with a deadline, and leaves nothing running.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    reason = "a failed step of a test is a failed test"
)]

mod altered;
pub mod certificate;
mod client;
mod forward;
pub mod imagekit;
mod own_server;
mod process;
mod proxy;
pub mod rabbit;
pub mod razorpay;
mod receiver;
pub mod servers;
mod settings;
mod shop;
pub mod smtp;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use microbazaar::domain::ids::EventId;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

pub use altered::{BASE64, BASE64_URL, HEX, altered, altered_once};
pub use client::{Answer, Call, Client, Person};
pub use forward::{Around, Asked, Forward};
pub use own_server::OwnServer;
pub use process::{Process, done, finish, program};
pub use proxy::Proxy;
pub use receiver::{Received, Receiver, Reply};
pub use settings::{PASSWORD, SECRET, Settings, WEBHOOK_SECRET};
pub use shop::{Shop, issue, tokens};

/// How long a test waits for what is to happen.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Waits until it holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually_some(what, async || holds().await.then_some(())).await;
}

/// Waits until there is one.
pub async fn eventually_some<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A folder that goes with the test.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    #[allow(clippy::new_without_default, reason = "a folder is made")]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("microbazaar-test-{}", EventId::generate()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A seed, which a failed run prints: the one that `MICROBAZAAR_TEST_SEED` names, or any.
pub fn seed() -> u64 {
    let seed = named_seed().unwrap_or_else(rand::random);
    println!("MICROBAZAAR_TEST_SEED={seed}");
    seed
}

/// The seed that `MICROBAZAAR_TEST_SEED` names.
pub fn named_seed() -> Option<u64> {
    std::env::var("MICROBAZAAR_TEST_SEED").ok()?.parse().ok()
}

/// A generator that begins with [`seed`].
pub fn random() -> StdRng {
    StdRng::seed_from_u64(seed())
}

/// A text of an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text")).to_owned()
}

/// Where orders of tests are shipped to.
pub fn address(city: &str) -> Value {
    json!({"street": "12 Lake Road", "city": city, "state": "MH", "country": "IN", "zip": "411001"})
}
