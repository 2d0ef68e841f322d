//! `RabbitConsumer`: reads one queue.
//!
//! What was not handled goes to the retry queues, the next one each time, and at last to the dead
//! one. A message that waits for a store or a service that is away uses up none of its tries: it
//! comes again by the first two, so that it is handled within seconds of their return.

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
            wire::{self, Tried},
        },
    },
    domain::queues::Queue,
    trace::Trace,
};

/// Messages that are here without being acknowledged; also the largest batch.
const PREFETCH: u16 = 128;
/// How long the broker may take for a word.
const WITHIN: Duration = Duration::from_secs(20);
/// How long to wait before reading again after something broke.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a message waits for what is away before that counts as a try: a good day of the
/// usual pauses.
const WAITS: usize = 10_000;
/// How often of these by the first retry queue, before it is the second's longer pause.
const SHORT_WAITS: usize = 5;

/// Where a message goes that was not handled.
#[derive(Debug, PartialEq, Eq)]
struct Aside {
    /// Which of the retry queues, from 1; none, or none that is there, for the dead one.
    retry: Option<usize>,
    /// What it is to say of itself.
    tried: Tried,
}

impl Aside {
    fn of(error: &HandleError, tried: Tried) -> Self {
        let attempts = tried.attempts + 1;
        match error {
            HandleError::Away(_) if tried.waits < WAITS => {
                let retry = if tried.waits < SHORT_WAITS { 1 } else { 2 };
                Self { retry: Some(retry), tried: Tried { waits: tried.waits + 1, ..tried } }
            }
            HandleError::Away(_) | HandleError::Transient(_) => {
                Self { retry: Some(attempts), tried: Tried { attempts, waits: 0 } }
            }
            HandleError::Unreadable(_) => Self { retry: None, tried: Tried { attempts, ..tried } },
        }
    }
}

/// Reads one queue for as long as it lives; after anything breaks it begins anew.
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

/// Acknowledges a message with all before it, which this channel's one reader has done with.
async fn acknowledge_up_to(message: &Message) -> Result<(), RabbitError> {
    let acknowledged = message.acker.ack(BasicAckOptions { multiple: true });
    match timeout(WITHIN, acknowledged).await {
        // `false`: it was acknowledged before.
        Ok(told) => Ok(told.map(|_told| ())?),
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
                tracing::warn!(queue = self.queue.name, %error, "reading begins anew");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads until something breaks. What is not acknowledged then comes again.
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
                // At once, so that it is not put aside again if something breaks now.
                acknowledge_up_to(message).await?;
            }
        }
        match batch.last() {
            Some(last) => acknowledge_up_to(last).await,
            None => Ok(()),
        }
    }

    /// Hands a message that was not handled to where it waits for its next try, or rests.
    async fn put_aside(&self, channel: &Channel, message: &Message, error: &HandleError) -> Result<(), RabbitError> {
        let next = Aside::of(error, Tried::of(&message.properties));
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
            properties: wire::failed(&message.properties, next.tried, &error.to_string(), delay),
        };
        let confirm = publish_one(channel, &aside).await?;
        let confirmation = timeout(WITHIN, confirm).await.map_err(|_| RabbitError::Deadline)??;
        confirmed(&aside, confirmation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The retry queues that a message goes by while each try ends so.
    fn way(error: &HandleError, times: usize, mut tried: Tried) -> (Vec<Option<usize>>, Tried) {
        let mut way = vec![];
        for _ in 0..times {
            let aside = Aside::of(error, tried);
            way.push(aside.retry);
            tried = aside.tried;
        }
        (way, tried)
    }

    #[test]
    fn waiting_for_what_is_away_uses_up_no_try() {
        let (away, fails) = (HandleError::Away(String::new()), HandleError::Transient(String::new()));
        let (first, tried) = way(&away, 8, Tried::default());
        assert_eq!(first, [1, 1, 1, 1, 1, 2, 2, 2].map(Some));
        let (then, tried) = way(&fails, 5, tried);
        assert_eq!(then, [1, 2, 3, 4, 5].map(Some), "the fifth is none that is there");
        assert_eq!(tried, Tried { attempts: 5, waits: 0 });
    }

    #[test]
    fn waiting_has_an_end() {
        let away = HandleError::Away(String::new());
        let (_, tried) = way(&away, WAITS, Tried::default());
        assert_eq!(tried.attempts, 0);
        assert_eq!(Aside::of(&away, tried), Aside { retry: Some(1), tried: Tried { attempts: 1, waits: 0 } });
    }

    #[test]
    fn what_cannot_be_read_is_dead_at_once() {
        let aside = Aside::of(&HandleError::Unreadable(String::new()), Tried::default());
        assert_eq!((aside.retry, aside.tried.attempts), (None, 1));
    }
}
