//! RabbitMQ: the same events for programs in any language.
//!
//! Owns connections ([`Link`]), the names that are declared ([`topology`]), the shape of a
//! message ([`wire`]), what is dead ([`dead`]) and publishing with confirms ([`Publisher`]). The actors that use
//! them are in `actors::rabbit_bridge`.
//!
//! **Invariant:** the named queues and the exchange are declared durable and with no other
//! arguments, as every other program declares them.

pub mod dead;
mod link;
mod publisher;
pub mod topology;
pub mod wire;

pub use link::Link;
pub use publisher::{Confirms, Outgoing, Publisher};
pub(crate) use publisher::{confirmed, publish_one};

/// Why the broker did not do it. Trying again is harmless.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RabbitError {
    /// There is no connection, or it broke.
    #[error("the broker is away: {0}")]
    Away(String),
    /// It did not answer in time.
    #[error("the broker did not answer in time")]
    Deadline,
    /// It has no queue for a message that must have one.
    #[error("the broker has no queue {0}")]
    Unroutable(String),
    /// It refused a message.
    #[error("the broker refused a message")]
    Refused,
    /// A payload is no JSON.
    #[error("a payload could not be written: {0}")]
    Payload(String),
}

impl From<lapin::Error> for RabbitError {
    fn from(error: lapin::Error) -> Self {
        Self::Away(error.to_string())
    }
}
