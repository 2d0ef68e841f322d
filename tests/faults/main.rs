//! Fault tests: the process dies at every possible point, and nothing that was promised is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod client;
mod crash;
mod kill;
mod market;
mod process;
mod race;
mod run;
mod saga;
mod shop;
