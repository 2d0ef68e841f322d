//! How events travel: the queues by name, and what a consumer gets.
//!
//! **Invariant:** a consumer cannot tell whether a delivery came over the in-process bus
//! or from a broker.

pub mod rabbit;

use async_trait::async_trait;

use crate::{
    domain::{Timestamp, ids::EventId},
    trace::Trace,
};

/// A message on a queue, as its consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue it came by.
    pub queue: &'static str,
    /// The event's id: by it the consumer applies the event once.
    pub event: EventId,
    /// The event's name, `USER_CREATED`.
    pub name: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it happened to.
    pub aggregate_id: String,
    /// The payload, as `views::event` shapes it.
    pub payload: serde_json::Value,
    /// The trace of the request that caused it, if one did.
    pub trace: Option<Trace>,
}

/// Why a consumer could not handle a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// What it takes to handle it is away for now: the store, or another service. Nothing speaks
    /// against the delivery, so that waiting does not count as trying.
    #[error("{0}")]
    Away(String),
    /// Trying again later may help.
    #[error("{0}")]
    Transient(String),
    /// It never will: the payload is not what the queue promises.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads queues. A delivery may come twice and is applied once, by its event's id.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// The queues it reads.
    fn queues(&self) -> &'static [&'static str];

    /// Whether there is anybody to tell. Within the process nothing is made for a consumer that
    /// does not listen; a queue at a broker is read in any case, and what comes is passed over.
    fn is_listening(&self) -> bool {
        true
    }

    /// Applies deliveries in their order and answers for each, when its effect is stored.
    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>>;
}
