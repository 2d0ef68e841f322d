//! Delivery of events: the queues by name, and what a consumer gets.
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
    /// The queue that it came from.
    pub queue: &'static str,
    /// The event's id, by which the consumer applies the event once.
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
    /// A dependency is unavailable for now: the store, or another service. The delivery itself is fine, so waiting
    /// does not count as an attempt.
    #[error("{0}")]
    Away(String),
    /// Trying again later may help.
    #[error("{0}")]
    Transient(String),
    /// Retrying never helps: the payload is not valid for the queue.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads queues. A delivery may come twice and is applied once, by its event's id.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// The queues that it reads.
    fn queues(&self) -> &'static [&'static str];

    /// Whether the consumer is active. Within the process no deliveries are made for an inactive consumer; a queue at
    /// a broker is read in any case, and its messages are skipped.
    fn is_listening(&self) -> bool {
        true
    }

    /// Applies deliveries in order and returns a result for each, once its effect is stored.
    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>>;
}
