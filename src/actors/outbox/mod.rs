//! The way of events from the write that caused them to their consumers.
//!
//! The relay reads what waits in the outbox, hands it to the consumers of its queues,
//! and takes it out when their effects are stored. What a consumer cannot handle is parked
//! and tried again after growing pauses, then kept as dead with the reason: nothing is
//! dropped, and nothing holds up what is behind it. After a crash it goes on where it was; a
//! consumer may then get an event a second time and applies it once.
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
    integrations::redis::Wake,
    runtime::Runtime,
    store::{OutboxStore, StoreError, outbox::Parked},
};

/// Events could not be carried on for now; they stay in the outbox.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct CarryError(pub String);

/// What becomes of events that were handed on: completes when each has arrived, with what
/// could not be handled and is to be parked.
pub type Carried = BoxFuture<'static, Result<Vec<Parked>, CarryError>>;

/// Carries events from the outbox to where they are consumed.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// How many batches may be on their way at once.
    fn ahead(&self) -> usize {
        1
    }

    /// Hands events on, in their order and behind all that were handed on before. When what
    /// it returns completes with `Ok`, all of them are taken out of the outbox.
    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError>;

    /// Carries a parked message on once more; returns it anew if it still cannot be handled.
    async fn retry(&self, parked: &Parked) -> Result<Option<Parked>, CarryError>;
}

/// How long applied events are remembered, so that a second delivery is known as one.
const REMEMBER: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);
/// How long the relay sleeps when nothing wakes it: parked messages are looked for then. Longer
/// where other nodes wake it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it pauses after the store failed it.
const PAUSE: Duration = Duration::from_secs(1);

/// The outbox as the rest of the program sees it.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
}

impl Outbox {
    /// Starts the relay to this carrier, which `wake` tells of events that other nodes wrote.
    pub fn start(runtime: &Runtime, store: Arc<dyn OutboxStore>, carrier: Arc<dyn Carrier>, wake: &Wake) -> Self {
        let relay = Arc::new(Relay::new(Arc::clone(&store), carrier, wake));
        runtime.background("outbox", relay, async |relay| relay.run().await);
        Self { store }
    }

    /// How many events wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn depth(&self) -> Result<u64, StoreError> {
        self.store.depth().await
    }

    /// Waits until nothing waits any more, or the deadline; returns how many still do.
    ///
    /// # Errors
    /// [`StoreError`].
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
