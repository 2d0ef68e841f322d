//! `RabbitConsumer`: reads one queue.

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
            wire,
        },
        table::Queue,
    },
    trace::Trace,
};

/// Messages that are here without being acknowledged; also the largest batch.
const PREFETCH: u16 = 128;
/// How long the broker may take for a word.
const WITHIN: Duration = Duration::from_secs(20);
/// How long to wait before reading again after something broke.
const PAUSE: Duration = Duration::from_millis(200);

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
        let attempt = wire::attempts(&message.properties) + 1;
        let delay = match error {
            HandleError::Transient(_) => self.delays.get(attempt - 1).copied(),
            HandleError::Unreadable(_) => None,
        };
        let queue = match delay {
            Some(_) => topology::retry_queue(self.queue.name, attempt),
            None => topology::dead_queue(self.queue.name),
        };
        let trace = wire::trace(&message.properties).map(Trace::id);
        tracing::warn!(queue = self.queue.name, to = queue, trace.id = trace, %error, "a message was not handled");
        let aside = Outgoing {
            exchange: "",
            routing_key: queue,
            mandatory: true,
            body: message.data.clone(),
            properties: wire::failed(&message.properties, attempt, &error.to_string(), delay),
        };
        let confirm = publish_one(channel, &aside).await?;
        let confirmation = timeout(WITHIN, confirm).await.map_err(|_| RabbitError::Deadline)??;
        confirmed(&aside, confirmation)
    }
}
