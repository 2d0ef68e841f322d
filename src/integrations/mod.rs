//! External services, each behind a trait and with an embedded replacement.
//!
//! **Invariant:** nothing here implements a rule of the marketplace.

pub mod image;
pub mod mail;
pub mod payment;
pub mod redis;
pub mod webhook;
