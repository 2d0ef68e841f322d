//! Services beyond the marketplace, each behind a trait and with an embedded stand-in.
//!
//! **Invariant:** nothing here knows a rule of the marketplace.

pub mod image;
pub mod mail;
pub mod payment;
pub mod redis;
pub mod webhook;
