//! The bridge to RabbitMQ: one actor that publishes, and one for each queue that is read.
//!
//! The publisher is the outbox's carrier: an event leaves the outbox when the broker has confirmed it. A consumer
//! acknowledges a message when its effect is stored; one that cannot be handled goes to the queue's retry queues and
//! finally to its dead queue, so that it never blocks later messages.
//!
//! **Invariant:** after any crash, a message is in the outbox, at the broker, or its effect is stored.

mod consumer;
mod publisher;

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use self::{
    consumer::RabbitConsumer,
    publisher::{Publish, RabbitPublisher},
};
use super::outbox::{Carried, Carrier, CarryError};
use crate::{
    bus::{
        Consumer,
        rabbit::{Confirms, Link, Outgoing, Publisher, topology::Delays, wire},
    },
    domain::{
        event::Envelope,
        queues::{self, Queue},
    },
    runtime::{AskError, Handle, Limits, Runtime},
    store::outbox::Parked,
};

/// The most batches of events that wait for confirms.
const AHEAD: usize = 4;

/// Settings of the bridge.
#[derive(Debug, Clone)]
pub struct RabbitSettings {
    /// `amqp://` or `amqps://`, with user, password and vhost.
    pub url: SecretString,
    /// The queues that this process reads; `None` for all those of its consumers.
    pub consume: Option<Vec<String>>,
    /// The pauses before a message is tried again.
    pub delays: Delays,
}

#[derive(Clone)]
pub struct RabbitBridge {
    publisher: Handle<RabbitPublisher>,
    outgoing: Arc<Publisher>,
    /// The readers' connection; `None` if nothing is read.
    reading: Option<Arc<Link>>,
}

impl RabbitBridge {
    /// Starts the publisher, and a reader for each queue that `consumers` read and `settings` allow.
    pub fn start(runtime: &Runtime, settings: &RabbitSettings, consumers: &[Arc<dyn Consumer>]) -> Self {
        let link = Arc::new(Link::new(settings.url.clone(), "publisher"));
        let outgoing = Arc::new(Publisher::new(link));
        let of_actor = Arc::clone(&outgoing);
        let limits = Limits { in_flight: 64, deadline: std::time::Duration::from_secs(60) };
        let publisher =
            runtime.supervise("rabbit_publisher", limits, move || RabbitPublisher::new(Arc::clone(&of_actor)));
        let reading = Arc::new(Link::new(settings.url.clone(), "consumer"));
        let wanted = wanted(settings, consumers);
        let watched = (!wanted.is_empty()).then(|| Arc::clone(&reading));
        for (queue, consumer) in wanted {
            let (reading, delays) = (Arc::clone(&reading), settings.delays);
            runtime.supervise("rabbit_consumer", Limits::default(), move || {
                RabbitConsumer::new(queue, Arc::clone(&consumer), Arc::clone(&reading), delays)
            });
        }
        Self { publisher, outgoing, reading: watched }
    }

    /// Whether the broker is reachable. Readers detect this even while nothing is published.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.outgoing.is_up() && self.reading.as_ref().is_none_or(|link| link.is_up())
    }

    async fn send(&self, messages: Vec<Outgoing>) -> Result<Confirms, CarryError> {
        self.publisher.ask(Publish(messages)).await.map_err(|error| match error {
            AskError::Refused(error) => CarryError(error.to_string()),
            error => CarryError(error.to_string()),
        })
    }
}

fn wanted(settings: &RabbitSettings, consumers: &[Arc<dyn Consumer>]) -> Vec<(&'static Queue, Arc<dyn Consumer>)> {
    let allowed = |name: &str| settings.consume.as_ref().is_none_or(|names| names.iter().any(|known| known == name));
    let of = |consumer: &Arc<dyn Consumer>| {
        let named = consumer.queues().iter().filter(|name| allowed(name)).filter_map(|name| queues::queue(name));
        named.map(|queue| (queue, Arc::clone(consumer))).collect::<Vec<_>>()
    };
    consumers.iter().flat_map(of).collect()
}

#[async_trait]
impl Carrier for RabbitBridge {
    fn ahead(&self) -> usize {
        AHEAD
    }

    async fn carry(&self, envelopes: &[&Envelope]) -> Result<Carried, CarryError> {
        let mut messages = Vec::with_capacity(2 * envelopes.len());
        for envelope in envelopes {
            messages.extend(wire::outgoing(envelope).map_err(|error| CarryError(error.to_string()))?);
        }
        let confirms = self.send(messages).await?;
        Ok(Box::pin(async move {
            confirms.all().await.map_err(|error| CarryError(error.to_string()))?;
            Ok(vec![])
        }))
    }

    async fn retry(&self, parked: &Parked) -> Result<Option<Parked>, CarryError> {
        // Parked while events were delivered within the process: it is published to its queue at the broker.
        let Some(queue) = queues::queue(&parked.queue) else { return Ok(None) };
        let made = wire::for_queue(&parked.envelope, queue).map_err(|error| CarryError(error.to_string()))?;
        let confirms = self.send(made.into_iter().collect()).await?;
        confirms.all().await.map_err(|error| CarryError(error.to_string()))?;
        Ok(None)
    }
}
