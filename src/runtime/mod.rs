//! Supervision by [`actix_guardian`], calls between services, and the propagation of traces into actors.

pub mod breaker;
pub mod calls;
pub mod http_client;
pub mod tls;
mod traced;

pub use actix_guardian::{
    AskError, Handle, KeyLocks, Keyed, KeyedLimits, KindSnapshot, KindStats, Limits, Next, Pace, Runtime, Sharded,
};
pub use traced::{Traced, envelope, within};
