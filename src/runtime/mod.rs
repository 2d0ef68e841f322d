//! Supervision by [`actix_guardian`], and the trace that goes with a message into its actor.

pub mod breaker;
pub mod calls;
pub mod http_client;
mod traced;

pub use actix_guardian::{
    AskError, Backoff, Handle, Keyed, KeyedLimits, KindSnapshot, KindStats, Limits, Next, Pace, Runtime, Sharded,
    StripedLocks,
};
pub use traced::{Traced, envelope, within};
