//! Relays events from the writes that caused them to their consumers.
//!
//! The relay reads the waiting events of the outbox, passes them to the consumers of their queues, and deletes them
//! when their effects are stored. A message that a consumer cannot handle is parked and retried with backoff, then
//! kept as dead with the reason: nothing is dropped, and no message blocks later ones. After a crash the relay
//! continues; a consumer may then get an event a second time and applies it once.
//!
//! **Invariant:** an event is in the outbox, or parked, or its effects are stored.

mod in_process;
mod relay;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

pub use self::in_process::InProcess;
use self::relay::Relay;
use crate::{
    domain::event::Envelope,
    integrations::redis::ChangeNotifier,
    runtime::Runtime,
    store::{OutboxStore, StoreError, outbox::Parked},
};

/// Events could not be relayed for now; they stay in the outbox.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct CarryError(pub String);

/// The outcome of relayed events: completes when each has arrived, with the messages to park.
pub type Carried = BoxFuture<'static, Result<Vec<Parked>, CarryError>>;

/// Carries events from the outbox to where they are consumed.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// How many batches may be in progress at once.
    fn ahead(&self) -> usize {
        1
    }

    /// Relays events in order, after all earlier ones. When the returned future completes with `Ok`, all of them are
    /// deleted from the outbox.
    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError>;

    /// Retries a parked message; returns it again if it still cannot be handled.
    async fn retry(&self, parked: &Parked) -> Result<Option<Parked>, CarryError>;
}

/// How long applied events are remembered, so that a second delivery is recognised.
const REMEMBER: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);
/// How often the relay polls for events and parked messages; less often where other nodes send notifications.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The handle to the outbox.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
}

impl Outbox {
    /// Starts the relay to this carrier; `notifier` reports events that other nodes wrote.
    pub fn start(
        runtime: &Runtime,
        store: Arc<dyn OutboxStore>,
        carrier: Arc<dyn Carrier>,
        notifier: &ChangeNotifier,
    ) -> Self {
        let relay = Arc::new(Relay::new(Arc::clone(&store), carrier, notifier));
        runtime.background("outbox", relay, async |relay| relay.run().await);
        Self { store }
    }

    /// How many events wait.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        self.store.depth().await
    }

    /// Waits until the outbox is empty or the deadline has passed; returns how many events are left.
    pub async fn drain(&self, within: Duration) -> Result<u64, StoreError> {
        let deadline = Instant::now() + within;
        loop {
            let depth = self.store.depth().await?;
            if depth == 0 || Instant::now() >= deadline {
                return Ok(depth);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
