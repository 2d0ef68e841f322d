//! Events to consumers within the process.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::SignedDuration;

use super::{Carried, Carrier, CarryError};
use crate::{
    bus::{Consumer, Delivery, HandleError},
    domain::{Timestamp, event::Envelope},
    store::outbox::Parked,
    views::event::messages,
};

/// The pauses before a message is tried again; after the last it is dead.
const PAUSES: [SignedDuration; 4] = [
    SignedDuration::from_secs(1),
    SignedDuration::from_secs(10),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(10),
];

/// Feeds consumers of this process.
pub struct InProcess {
    consumers: Vec<Arc<dyn Consumer>>,
    by_queue: HashMap<&'static str, usize>,
}

/// A delivery and the event that it came from.
struct Item<'a> {
    delivery: Delivery,
    envelope: &'a Envelope,
}

#[async_trait]
impl Carrier for InProcess {
    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError> {
        let items = envelopes.iter().flat_map(|envelope| self.items(envelope)).collect();
        let parked = self.deliver(items, 0).await.into_iter().filter_map(|(_, parked)| parked).collect();
        Ok(Box::pin(std::future::ready(Ok(parked))))
    }

    async fn retry(&self, parked: &Parked) -> Result<Option<Parked>, CarryError> {
        let mut items = self.items(&parked.envelope);
        items.retain(|item| item.delivery.queue == parked.queue);
        Ok(match self.deliver(items, parked.attempts).await.into_iter().next() {
            Some((_, parked)) => parked,
            None => {
                let unread = HandleError::Unreadable("nobody reads this queue here".to_owned());
                Some(park(&parked.queue, &parked.envelope, parked.attempts, &unread))
            }
        })
    }
}

impl InProcess {
    /// A carrier to these consumers.
    #[must_use]
    pub fn new(consumers: Vec<Arc<dyn Consumer>>) -> Self {
        let mut by_queue = HashMap::new();
        for (at, consumer) in consumers.iter().enumerate() {
            by_queue.extend(consumer.queues().iter().map(|queue| (*queue, at)));
        }
        Self { consumers, by_queue }
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
