//! The relay's loop.
//!
//! **Invariant:** an event leaves the outbox only after its failed messages are parked.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use growing_backoff::Backoff;
use jiff::SignedDuration;
use tokio::sync::Notify;

use super::{Carried, Carrier, CarryError, LOOK_EVERY, REMEMBER};
use crate::{
    domain::{Timestamp, event::Envelope},
    integrations::redis::{ChangeNotifier, topic},
    store::{OutboxStore, StoreError, outbox::Parked},
};

/// How many events are read at once.
const BATCH: u32 = 256;
/// The same, as the length of a list.
const FULL: usize = 256;
/// How many batches a round starts before it retries parked messages.
const BATCHES: usize = 64;
/// How many parked messages are retried at once.
const RETRIES: u32 = 64;
/// The pauses while events cannot be relayed.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

/// Reads the outbox and feeds the carrier.
pub(super) struct Relay {
    store: Arc<dyn OutboxStore>,
    carrier: Arc<dyn Carrier>,
    notifier: ChangeNotifier,
    /// Notified when another node wrote events.
    notified: Arc<Notify>,
}

/// Why events wait.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error("the store is not available: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Carry(#[from] CarryError),
}

impl Relay {
    pub(super) fn new(store: Arc<dyn OutboxStore>, carrier: Arc<dyn Carrier>, notifier: &ChangeNotifier) -> Self {
        Self { store, carrier, notifier: notifier.clone(), notified: notifier.listen(topic::OUTBOX) }
    }

    pub(super) async fn run(&self) {
        let (mut forgotten, mut failures) = (Timestamp::UNIX_EPOCH, 0_u32);
        loop {
            match self.turn(&mut forgotten).await {
                Ok(more) => {
                    failures = 0;
                    if !more {
                        // Continues after a write, here or on another node, or in time for parked messages.
                        tokio::select! {
                            () = self.store.written() => {}
                            () = self.notified.notified() => {}
                            () = tokio::time::sleep(self.notifier.look_every(LOOK_EVERY)) => {}
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "could not relay events; retrying");
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(PAUSES.after(failures)).await;
                }
            }
        }
    }

    /// One round; returns whether there may be more to do at once.
    pub(super) async fn turn(&self, forgotten: &mut Timestamp) -> Result<bool, RelayError> {
        let moved = self.carry_on().await?;
        let now = Timestamp::now();
        let retried = self.retry(now).await?;
        if now.duration_since(*forgotten) > SignedDuration::from_hours(1) {
            *forgotten = now;
            self.store.forget_applied(now.saturating_sub(REMEMBER).unwrap_or(Timestamp::UNIX_EPOCH)).await?;
        }
        Ok(moved || retried)
    }

    /// Starts as many batches as the carrier allows, and deletes each when it has arrived, the oldest first. If one
    /// fails, the later ones stay as well and all are relayed again, so that the order is kept.
    async fn carry_on(&self) -> Result<bool, RelayError> {
        let mut under_way: VecDeque<(Vec<u64>, Carried)> = VecDeque::new();
        let (mut last, mut more, mut taken_on) = (0, true, 0);
        loop {
            while more && under_way.len() < self.carrier.ahead().max(1) {
                let waiting = self.store.waiting(last, BATCH).await?;
                taken_on += 1;
                more = waiting.len() == FULL && taken_on < BATCHES;
                let Some((newest, _)) = waiting.last() else { break };
                last = *newest;
                let envelopes: Vec<&Envelope> = waiting.iter().map(|(_, envelope)| envelope).collect();
                let carried = self.carrier.carry(&envelopes).await?;
                under_way.push_back((waiting.iter().map(|(sequence, _)| *sequence).collect(), carried));
            }
            let Some((sequences, carried)) = under_way.pop_front() else { return Ok(last > 0) };
            self.store.settle(&sequences, &carried.await?).await?;
        }
    }

    async fn retry(&self, now: Timestamp) -> Result<bool, RelayError> {
        let due: Vec<Parked> = self.store.retry_due(now, RETRIES).await?;
        for row in &due {
            let next = self.carrier.retry(row).await?;
            self.store.repark(row.id, next.as_ref()).await?;
        }
        Ok(!due.is_empty())
    }
}
