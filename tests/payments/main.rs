//! Payment gateways: one suite over the sandbox and over Razorpay, the client's behaviour
//! when the gateway fails, and a shop that is paid by Razorpay. Razorpay is `standin`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod client;
mod gateways;
mod standin;
mod suite;
