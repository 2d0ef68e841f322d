//! Services beyond the marketplace, each behind a trait and with an embedded stand-in.
//!
//! **Invariant:** nothing here knows a rule of the marketplace.

pub mod breaker;
pub mod http_client;
pub mod imagekit;
pub mod razorpay;
pub mod redis;
pub mod smtp;
pub mod webhook;
