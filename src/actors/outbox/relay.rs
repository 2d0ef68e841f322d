//! The relay's loop.
//!
//! **Invariant:** an event leaves the outbox in the same write that parks what failed of it.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use jiff::SignedDuration;

use super::{LOOK_EVERY, PAUSE, REMEMBER};
use crate::{
    bus::{Consumer, Delivery, HandleError},
    domain::{Timestamp, event::Envelope},
    store::{OutboxStore, StoreError, outbox::Parked},
    views::event::messages,
};

/// How many events to take at once.
const BATCH: u32 = 512;
/// How many parked messages to try again at once.
const RETRIES: u32 = 64;
/// The pauses before a message is tried again; after the last it is dead.
const PAUSES: [SignedDuration; 4] = [
    SignedDuration::from_secs(1),
    SignedDuration::from_secs(10),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(10),
];

/// Reads the outbox and feeds the consumers.
pub(super) struct Relay {
    store: Arc<dyn OutboxStore>,
    consumers: Vec<Arc<dyn Consumer>>,
    by_queue: HashMap<&'static str, usize>,
}

/// A delivery and the event that it came from.
struct Item<'a> {
    delivery: Delivery,
    envelope: &'a Envelope,
}

impl Relay {
    pub(super) fn new(store: Arc<dyn OutboxStore>, consumers: Vec<Arc<dyn Consumer>>) -> Self {
        let mut by_queue = HashMap::new();
        for (at, consumer) in consumers.iter().enumerate() {
            by_queue.extend(consumer.queues().iter().map(|queue| (*queue, at)));
        }
        Self { store, consumers, by_queue }
    }

    pub(super) async fn run(&self) {
        let mut forgotten = Timestamp::UNIX_EPOCH;
        loop {
            match self.turn(&mut forgotten).await {
                Ok(true) => {}
                Ok(false) => {
                    // Woken by a write, or in time for parked messages.
                    let _either = tokio::time::timeout(LOOK_EVERY, self.store.written()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "events wait, the store is not available");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One turn; returns whether there may be more to do at once.
    pub(super) async fn turn(&self, forgotten: &mut Timestamp) -> Result<bool, StoreError> {
        let waiting = self.store.waiting(0, BATCH).await?;
        let moved = !waiting.is_empty();
        if moved {
            self.relay(&waiting).await?;
        }
        let now = Timestamp::now();
        let retried = self.retry(now).await?;
        if now.duration_since(*forgotten) > SignedDuration::from_hours(1) {
            *forgotten = now;
            self.store.forget_applied(now.saturating_sub(REMEMBER).unwrap_or(Timestamp::UNIX_EPOCH)).await?;
        }
        Ok(moved || retried)
    }

    async fn relay(&self, waiting: &[(u64, Envelope)]) -> Result<(), StoreError> {
        let items = waiting.iter().flat_map(|(_, envelope)| self.items(envelope)).collect();
        let parked: Vec<Parked> = self.deliver(items, 0).await.into_iter().filter_map(|(_, parked)| parked).collect();
        let sequences: Vec<u64> = waiting.iter().map(|(sequence, _)| *sequence).collect();
        self.store.settle(&sequences, &parked).await
    }

    async fn retry(&self, now: Timestamp) -> Result<bool, StoreError> {
        let due = self.store.retry_due(now, RETRIES).await?;
        for row in &due {
            let items = self.items(&row.envelope).into_iter().filter(|item| item.delivery.queue == row.queue).collect();
            let next = match self.deliver(items, row.attempts).await.into_iter().next() {
                Some((_, parked)) => parked,
                None => {
                    let unread = HandleError::Unreadable("nobody reads this queue here".to_owned());
                    Some(park(&row.queue, &row.envelope, row.attempts, &unread))
                }
            };
            self.store.repark(row.id, next.as_ref()).await?;
        }
        Ok(!due.is_empty())
    }

    /// The deliveries that an event makes for the queues that are read here.
    fn items<'a>(&self, envelope: &'a Envelope) -> Vec<Item<'a>> {
        let read_here = messages(envelope).into_iter().filter(|message| self.by_queue.contains_key(message.queue));
        read_here
            .map(|message| Item {
                delivery: Delivery {
                    queue: message.queue,
                    event: envelope.id,
                    name: envelope.event.name().to_owned(),
                    occurred_at: envelope.occurred_at,
                    aggregate_id: envelope.event.aggregate_id(),
                    payload: message.payload,
                },
                envelope,
            })
            .collect()
    }

    /// Hands deliveries to their consumers, all consumers at once and each in order;
    /// returns what is to be parked.
    async fn deliver(&self, items: Vec<Item<'_>>, attempts: u32) -> Vec<(&'static str, Option<Parked>)> {
        let mut batches: Vec<Vec<Item<'_>>> = self.consumers.iter().map(|_| vec![]).collect();
        for item in items {
            if let Some(at) = self.by_queue.get(item.delivery.queue) {
                batches[*at].push(item);
            }
        }
        let fed = self.consumers.iter().zip(batches).filter(|(_, batch)| !batch.is_empty());
        let fed = fed.map(|(consumer, batch)| feed(&**consumer, batch, attempts));
        futures_util::future::join_all(fed).await.into_iter().flatten().collect()
    }
}

async fn feed(consumer: &dyn Consumer, batch: Vec<Item<'_>>, attempts: u32) -> Vec<(&'static str, Option<Parked>)> {
    let (deliveries, told): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|item| ((item.delivery.queue, item.envelope), item.delivery))
        .map(|(a, b)| (b, a))
        .unzip();
    // A consumer that panics has handled none of them, as far as anybody knows; each is tried
    // again by itself, so that one which is poison harms no other.
    let handled = AssertUnwindSafe(consumer.handle(deliveries)).catch_unwind().await;
    let mut outcomes =
        handled.unwrap_or_else(|_| vec![Err(HandleError::Transient("the consumer panicked".to_owned())); told.len()]);
    // A consumer that answers for fewer than it got has not handled the rest.
    outcomes.resize(told.len(), Err(HandleError::Transient("the consumer gave no answer".to_owned())));
    told.into_iter()
        .zip(outcomes)
        .map(|((queue, envelope), outcome)| (queue, outcome.err().map(|error| park(queue, envelope, attempts, &error))))
        .collect()
}

fn park(queue: &str, envelope: &Envelope, attempts: u32, error: &HandleError) -> Parked {
    let pause = match error {
        HandleError::Unreadable(_) => None,
        HandleError::Transient(_) => usize::try_from(attempts).ok().and_then(|attempt| PAUSES.get(attempt)),
    };
    let retry_at = pause.and_then(|pause| Timestamp::now().saturating_add(*pause).ok());
    match retry_at {
        Some(at) => tracing::warn!(queue, event.id = %envelope.id, %error, %at, "a message is tried again later"),
        None => tracing::error!(queue, event.id = %envelope.id, %error, "a message is dead"),
    }
    Parked {
        id: 0,
        queue: queue.to_owned(),
        envelope: envelope.clone(),
        attempts: attempts + 1,
        retry_at,
        reason: error.to_string(),
    }
}
