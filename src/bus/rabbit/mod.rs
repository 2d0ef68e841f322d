//! RabbitMQ: events for programs in any language.
//!
//! Owns connections ([`Link`]), the names that are declared ([`topology`]), the format of a message ([`wire`]), dead
//! queues ([`dead`]) and publishing with confirms ([`Publisher`]). The actors that use them are in
//! `actors::rabbit_bridge`.
//!
//! **Invariant:** the named queues and the exchange are declared durable and with no other
//! arguments, as every other program declares them.

pub mod dead;
mod link;
mod publisher;
pub mod topology;
mod transport;
pub mod wire;

pub use link::Link;
pub use publisher::{Confirms, Outgoing, Publisher};
pub(crate) use publisher::{confirmed, publish_one};

/// Why a call to the broker failed. Retrying is harmless.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RabbitError {
    /// There is no connection, or it failed.
    #[error("the broker is away: {0}")]
    Away(String),
    /// The broker did not answer in time.
    #[error("the broker did not answer in time")]
    Deadline,
    /// The broker has no queue for a mandatory message.
    #[error("the broker has no queue {0}")]
    Unroutable(String),
    /// The broker refused a message.
    #[error("the broker refused a message")]
    Refused,
    /// A payload cannot be written as JSON.
    #[error("a payload could not be written: {0}")]
    Payload(String),
}

impl From<lapin::Error> for RabbitError {
    fn from(error: lapin::Error) -> Self {
        Self::Away(error.to_string())
    }
}
