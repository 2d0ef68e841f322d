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
mod broker;
mod buyer;
mod crash;
mod imports;
mod kill;
mod leaving;
mod market;
mod money;
mod nodes;
mod pictures;
mod race;
mod run;
mod saga;
mod shop;

use test_support::Settings;

/// The settings of a shop that is killed: what is late comes soon.
fn settings() -> Settings {
    Settings::new().set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "4s").set("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1s")
}
