//! Services beyond the marketplace, each behind a trait and with an embedded stand-in.
//!
//! **Invariant:** nothing here knows a rule of the marketplace.

pub mod imagekit;
pub mod razorpay;
pub mod redis;
pub mod smtp;
pub mod webhook;
