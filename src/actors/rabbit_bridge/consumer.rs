//! `RabbitConsumer`: reads one queue.
//!
//! A message that was not handled goes to the next retry queue each time, and finally to the dead queue. A message
//! that waits for an unavailable store or service uses up no attempts: it goes through the first two retry queues, so
//! that it is handled within seconds of their return.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use tokio::time::timeout;

use crate::{
    bus::{
        Consumer, HandleError,
        rabbit::{
            Link, Outgoing, RabbitError, confirmed, publish_one,
            topology::{self, Delays},
            wire::{self, RetryState},
        },
    },
    domain::queues::Queue,
    trace::Trace,
};

/// The prefetch count, which is also the largest batch.
const PREFETCH: u16 = 128;
/// The deadline of a call to the broker.
const WITHIN: Duration = Duration::from_secs(20);
/// The pause before reading again after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a message waits for an unavailable dependency before that counts as an attempt: about a day with the
/// default pauses.
const WAITS: usize = 10_000;
/// How many of these waits use the first retry queue, before the second with its longer pause.
const SHORT_WAITS: usize = 5;

/// Where an unhandled message goes.
#[derive(Debug, PartialEq, Eq)]
struct Rerouted {
    /// The number of the retry queue, from 1; none, or one that does not exist, for the dead queue.
    retry: Option<usize>,
    /// The counts to write into its headers.
    retries: RetryState,
}

impl Rerouted {
    fn of(error: &HandleError, retries: RetryState) -> Self {
        let attempts = retries.attempts + 1;
        match error {
            HandleError::Away(_) if retries.waits < WAITS => {
                let retry = if retries.waits < SHORT_WAITS { 1 } else { 2 };
                Self { retry: Some(retry), retries: RetryState { waits: retries.waits + 1, ..retries } }
            }
            HandleError::Away(_) | HandleError::Transient(_) => {
                Self { retry: Some(attempts), retries: RetryState { attempts, waits: 0 } }
            }
            HandleError::Unreadable(_) => Self { retry: None, retries: RetryState { attempts, ..retries } },
        }
    }
}

/// Reads one queue for as long as it lives; restarts after any failure.
pub struct RabbitConsumer {
    reader: Arc<Reader>,
}

struct Reader {
    queue: &'static Queue,
    consumer: Arc<dyn Consumer>,
    link: Arc<Link>,
    delays: Delays,
}

impl RabbitConsumer {
    pub(super) fn new(queue: &'static Queue, consumer: Arc<dyn Consumer>, link: Arc<Link>, delays: Delays) -> Self {
        Self { reader: Arc::new(Reader { queue, consumer, link, delays }) }
    }
}

/// Acknowledges a message and all before it, which this channel's only reader has finished.
async fn acknowledge_up_to(message: &Message) -> Result<(), RabbitError> {
    let acknowledged = message.acker.ack(BasicAckOptions { multiple: true });
    match timeout(WITHIN, acknowledged).await {
        // `false` means that it was acknowledged before.
        Ok(reply) => Ok(reply.map(|_reply| ())?),
        Err(_) => Err(RabbitError::Deadline),
    }
}

impl Actor for RabbitConsumer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let reader = Arc::clone(&self.reader);
        ctx.spawn(async move { reader.run().await }.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Reader {
    async fn run(&self) {
        loop {
            if let Err(error) = self.read().await {
                tracing::warn!(queue = self.queue.name, %error, "reading a queue failed and is restarted");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads until a failure. Unacknowledged messages are then delivered again.
    async fn read(&self) -> Result<(), RabbitError> {
        let channel = self.link.channel().await?;
        let prepare = async {
            topology::declare_read(&channel, self.queue.name).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            Ok::<_, RabbitError>(
                channel.basic_consume(self.queue.name.into(), "".into(), options, FieldTable::default()).await?,
            )
        };
        let mut messages = timeout(WITHIN, prepare).await.map_err(|_| RabbitError::Deadline)??;
        let closed = || RabbitError::Away("the channel was closed".to_owned());
        loop {
            let mut batch = vec![messages.next().await.ok_or_else(closed)??];
            while batch.len() < usize::from(PREFETCH)
                && let Some(Some(more)) = messages.next().now_or_never()
            {
                batch.push(more?);
            }
            self.handle(&channel, batch).await?;
        }
    }

    async fn handle(&self, channel: &Channel, batch: Vec<Message>) -> Result<(), RabbitError> {
        let read = |message: &Message| wire::delivery(self.queue, &message.properties, &message.data);
        let (mut deliveries, mut outcomes) = (vec![], vec![]);
        for message in &batch {
            match read(message) {
                Ok(delivery) => {
                    deliveries.push(delivery);
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(Err(error))),
            }
        }
        let mut handled = self.consumer.handle(deliveries).await.into_iter();
        for (message, outcome) in batch.iter().zip(outcomes) {
            let no_answer = || Err(HandleError::Transient("the consumer gave no answer".to_owned()));
            let outcome = outcome.or_else(|| handled.next()).unwrap_or_else(no_answer);
            if let Err(error) = outcome {
                self.put_aside(channel, message, &error).await?;
                // At once, so that it is not rerouted again after a failure now.
                acknowledge_up_to(message).await?;
            }
        }
        match batch.last() {
            Some(last) => acknowledge_up_to(last).await,
            None => Ok(()),
        }
    }

    /// Publishes an unhandled message to its retry queue or dead queue.
    async fn put_aside(&self, channel: &Channel, message: &Message, error: &HandleError) -> Result<(), RabbitError> {
        let next = Rerouted::of(error, RetryState::of(&message.properties));
        let (delay, queue) = match next.retry.and_then(|retry| Some((retry, *self.delays.get(retry - 1)?))) {
            Some((retry, delay)) => (Some(delay), topology::retry_queue(self.queue.name, retry)),
            None => (None, topology::dead_queue(self.queue.name)),
        };
        let trace = wire::trace(&message.properties).map(Trace::id);
        tracing::warn!(queue = self.queue.name, to = queue, trace.id = trace, %error, "a message was not handled");
        let aside = Outgoing {
            exchange: "",
            routing_key: queue,
            mandatory: true,
            body: message.data.clone(),
            properties: wire::failed(&message.properties, next.retries, &error.to_string(), delay),
        };
        let confirm = publish_one(channel, &aside).await?;
        let confirmation = timeout(WITHIN, confirm).await.map_err(|_| RabbitError::Deadline)??;
        confirmed(&aside, confirmation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The retry queues that a message goes through if each attempt ends like this.
    fn way(error: &HandleError, times: usize, mut retries: RetryState) -> (Vec<Option<usize>>, RetryState) {
        let mut way = vec![];
        for _ in 0..times {
            let aside = Rerouted::of(error, retries);
            way.push(aside.retry);
            retries = aside.retries;
        }
        (way, retries)
    }

    #[test]
    fn waiting_for_what_is_away_uses_up_no_try() {
        let (away, fails) = (HandleError::Away(String::new()), HandleError::Transient(String::new()));
        let (first, retries) = way(&away, 8, RetryState::default());
        assert_eq!(first, [1, 1, 1, 1, 1, 2, 2, 2].map(Some));
        let (then, retries) = way(&fails, 5, retries);
        assert_eq!(then, [1, 2, 3, 4, 5].map(Some), "the fifth is none that is there");
        assert_eq!(retries, RetryState { attempts: 5, waits: 0 });
    }

    #[test]
    fn waiting_has_an_end() {
        let away = HandleError::Away(String::new());
        let (_, retries) = way(&away, WAITS, RetryState::default());
        assert_eq!(retries.attempts, 0);
        assert_eq!(
            Rerouted::of(&away, retries),
            Rerouted { retry: Some(1), retries: RetryState { attempts: 1, waits: 0 } }
        );
    }

    #[test]
    fn what_cannot_be_read_is_dead_at_once() {
        let aside = Rerouted::of(&HandleError::Unreadable(String::new()), RetryState::default());
        assert_eq!((aside.retry, aside.retries.attempts), (None, 1));
    }
}
