//! Integration tests: the program and its components from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod api;
mod api_document;
mod assistant;
mod broker;
mod buddy;
mod conformance;
mod floors;
mod hostile;
mod payments;
mod picture_stores;
mod readme;
mod redis;
mod replicas;
mod smtp;
mod sockets;
