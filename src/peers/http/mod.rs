//! The other services in other processes, called over HTTP.
//!
//! A call carries a service token, how long its caller will wait, and the trace it belongs
//! to. What may be repeated is tried up to three times within that time, with growing pauses.
//! Failures in a row open the peer's [`Breaker`](crate::runtime::breaker::Breaker): calls then fail at once, until a look at the
//! peer finds it back. A peer that is away is [`PeerError::Unavailable`](super::PeerError::Unavailable); one that may have
//! done what was asked is [`PeerError::Deadline`](super::PeerError::Deadline).
//!
//! **Invariant:** a call ends within its [`Call::within`](super::wire::Call::within), whatever the peer does; what
//! may not be repeated is sent once.

mod caller;
mod peer;
pub mod token;

pub use self::{caller::Caller, peer::HttpPeer, token::ServiceToken};
