//! Events to consumers within the process.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::SignedDuration;

use super::{Carried, Carrier, CarryError};
use crate::{
    bus::{Consumer, Delivery, HandleError},
    domain::{
        Timestamp,
        event::{Envelope, Event},
        queues::QUEUES,
    },
    store::outbox::Parked,
    trace::Trace,
    views::event::{Message, exchange_payload, messages},
};

/// How often a message waits for something unavailable: about a week with the default pauses.
const WAITS: u32 = 1_000;

/// Delivers to the consumers of this process.
pub struct InProcess {
    consumers: Vec<Arc<dyn Consumer>>,
    by_queue: HashMap<&'static str, usize>,
    /// The pauses before a message is tried again; after the last one it is dead.
    pauses: [SignedDuration; 4],
}

/// A delivery and the event that it came from.
struct Item<'a> {
    delivery: Delivery,
    envelope: &'a Envelope,
}

#[async_trait]
impl Carrier for InProcess {
    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError> {
        let items =
            envelopes.iter().flat_map(|envelope| self.items(envelope, |consumer| consumer.is_listening())).collect();
        let mut parked: Vec<Parked> =
            self.deliver(items, 0).await.into_iter().filter_map(|(_, parked)| parked).collect();
        // What is parked from now on must not name a user whom the consumers have removed.
        for envelope in envelopes {
            if let Event::UserDeleted { user } = envelope.event {
                parked.iter_mut().for_each(|parked| _ = parked.envelope.event.forget(user));
            }
        }
        Ok(Box::pin(std::future::ready(Ok(parked))))
    }

    async fn retry(&self, parked: &Parked) -> Result<Option<Parked>, CarryError> {
        let mut items = self.items(&parked.envelope, |_| true);
        items.retain(|item| item.delivery.queue == parked.queue);
        Ok(match self.deliver(items, parked.attempts).await.into_iter().next() {
            Some((_, parked)) => parked,
            None => {
                let unread = HandleError::Unreadable("nobody reads this queue here".to_owned());
                Some(park(&self.pauses, &parked.queue, &parked.envelope, parked.attempts, &unread))
            }
        })
    }
}

impl InProcess {
    /// A carrier to these consumers, which retries after each of these pauses.
    #[must_use]
    pub fn new(consumers: Vec<Arc<dyn Consumer>>, pauses: [SignedDuration; 4]) -> Self {
        let mut by_queue = HashMap::new();
        for (at, consumer) in consumers.iter().enumerate() {
            by_queue.extend(consumer.queues().iter().map(|queue| (*queue, at)));
        }
        Self { consumers, by_queue, pauses }
    }

    /// The deliveries of an event to the queues that active consumers of this process read.
    fn items<'a>(&self, envelope: &'a Envelope, listens: impl Fn(&dyn Consumer) -> bool) -> Vec<Item<'a>> {
        let read_here = |queue: &str| self.by_queue.get(queue).is_some_and(|at| listens(&*self.consumers[*at]));
        let by_name = messages(envelope).into_iter().filter(|message| read_here(message.queue));
        let routing_key = envelope.event.routing_key();
        let bound = QUEUES.iter().filter(|queue| queue.takes(&routing_key) && read_here(queue.name));
        let bound = bound.map(|queue| Message { queue: queue.name, payload: exchange_payload(envelope) });
        by_name
            .chain(bound)
            .map(|message| Item {
                delivery: Delivery {
                    queue: message.queue,
                    event: envelope.id,
                    name: envelope.event.name().to_owned(),
                    occurred_at: envelope.occurred_at,
                    aggregate_id: envelope.event.aggregate_id(),
                    payload: message.payload,
                    trace: envelope.trace.as_deref().and_then(Trace::parse),
                },
                envelope,
            })
            .collect()
    }

    /// Passes deliveries to their consumers, all consumers concurrently and each in order; returns the messages to
    /// park.
    async fn deliver(&self, items: Vec<Item<'_>>, attempts: u32) -> Vec<(&'static str, Option<Parked>)> {
        let mut batches: Vec<Vec<Item<'_>>> = self.consumers.iter().map(|_| vec![]).collect();
        for item in items {
            if let Some(at) = self.by_queue.get(item.delivery.queue) {
                batches[*at].push(item);
            }
        }
        let fed = self.consumers.iter().zip(batches).filter(|(_, batch)| !batch.is_empty());
        let fed = fed.map(|(consumer, batch)| feed(&**consumer, batch, attempts, &self.pauses));
        futures_util::future::join_all(fed).await.into_iter().flatten().collect()
    }
}

async fn feed(
    consumer: &dyn Consumer,
    batch: Vec<Item<'_>>,
    attempts: u32,
    pauses: &[SignedDuration],
) -> Vec<(&'static str, Option<Parked>)> {
    let (deliveries, sources): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|item| ((item.delivery.queue, item.envelope), item.delivery))
        .map(|(a, b)| (b, a))
        .unzip();
    // If a consumer panics, none of the batch counts as handled; each delivery is then tried alone, so that one that
    // causes the panic does not affect the others.
    let handled = AssertUnwindSafe(consumer.handle(deliveries)).catch_unwind().await;
    let mut outcomes = handled
        .unwrap_or_else(|_| vec![Err(HandleError::Transient("the consumer panicked".to_owned())); sources.len()]);
    // If a consumer returns too few results, the rest counts as not handled.
    outcomes.resize(sources.len(), Err(HandleError::Transient("the consumer gave no answer".to_owned())));
    sources
        .into_iter()
        .zip(outcomes)
        .map(|((queue, envelope), outcome)| {
            (queue, outcome.err().map(|error| park(pauses, queue, envelope, attempts, &error)))
        })
        .collect()
}

fn park(pauses: &[SignedDuration], queue: &str, envelope: &Envelope, attempts: u32, error: &HandleError) -> Parked {
    let pause = usize::try_from(attempts).ok().and_then(|attempt| pauses.get(attempt));
    let pause = match error {
        HandleError::Unreadable(_) => None,
        HandleError::Away(_) if attempts < WAITS => pause.or(pauses.last()),
        HandleError::Away(_) | HandleError::Transient(_) => pause,
    };
    let retry_at = pause.and_then(|pause| Timestamp::now().saturating_add(*pause).ok());
    match retry_at {
        Some(at) => tracing::warn!(queue, event.id = %envelope.id, %error, %at, "a message will be retried"),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use parking_lot::Mutex;

    use super::*;
    use crate::domain::{
        ids::{ProductId, UserId},
        inventory::StockLevel,
        queues,
    };

    /// A consumer of the exchange that can be switched on.
    #[derive(Default)]
    struct Listener {
        listens: AtomicBool,
        got: Mutex<Vec<Delivery>>,
    }

    #[async_trait]
    impl Consumer for Listener {
        fn queues(&self) -> &'static [&'static str] {
            &[queues::EVENTS_WEBHOOK]
        }

        fn is_listening(&self) -> bool {
            self.listens.load(Ordering::SeqCst)
        }

        async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>> {
            let answers = vec![Ok(()); deliveries.len()];
            self.got.lock().extend(deliveries);
            answers
        }
    }

    #[tokio::test]
    async fn a_bound_queue_gets_exchange_events_while_a_consumer_is_active() {
        let listener = Arc::new(Listener::default());
        let carrier = InProcess::new(vec![listener.clone()], [jiff::SignedDuration::ZERO; 4]);
        let product = ProductId::generate();
        let gone = Event::ProductDeleted { product, seller: UserId::generate() };
        let gone = Envelope::new(gone, Timestamp::UNIX_EPOCH);
        let level = StockLevel { product, on_hand: 1, reserved: 0, sold: 0, version: 1 };
        let moved = Envelope::new(Event::StockChanged(level), Timestamp::UNIX_EPOCH);
        assert!(carrier.carry(&[&gone, &moved]).await.unwrap().await.unwrap().is_empty());
        assert!(listener.got.lock().is_empty(), "nobody listens");

        // A parked message is delivered in any case, so that it does not become dead because of that.
        let parked = Parked {
            id: 1,
            queue: queues::EVENTS_WEBHOOK.to_owned(),
            envelope: gone.clone(),
            attempts: 1,
            retry_at: None,
            reason: String::new(),
        };
        assert!(carrier.retry(&parked).await.unwrap().is_none());
        assert_eq!(listener.got.lock().len(), 1);

        listener.listens.store(true, Ordering::SeqCst);
        assert!(carrier.carry(&[&gone, &moved]).await.unwrap().await.unwrap().is_empty());
        let got = listener.got.lock();
        assert_eq!(got.len(), 2, "the stock is not told of");
        assert_eq!((got[1].queue, got[1].name.as_str()), (queues::EVENTS_WEBHOOK, "PRODUCT_DELETED"));
        assert_eq!((got[1].event, &got[1].payload), (gone.id, &exchange_payload(&gone)));
    }
}
