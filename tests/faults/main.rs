//! Fault injection: the process dies at every crash point, and services, servers and nodes are stopped during sales.
//! All guarantees hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod blocked;
mod client;
mod crash;
#[expect(dead_code, reason = "other tests have it do more")]
#[path = "../it/imagekit.rs"]
mod imagekit;
mod imports;
mod kill;
mod market;
mod money;
mod nodes;
mod pictures;
mod process;
mod race;
mod run;
mod saga;
mod shop;
