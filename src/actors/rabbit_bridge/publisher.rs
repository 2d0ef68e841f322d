//! `RabbitPublisher`: publishes messages to the broker.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};

use crate::bus::rabbit::{Confirms, Outgoing, Publisher, RabbitError};

/// How often to check whether the broker is reachable.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Publishes messages. The channel belongs to the [`Publisher`], so that a restarted actor continues with it.
pub struct RabbitPublisher {
    publisher: Arc<Publisher>,
}

impl RabbitPublisher {
    pub(super) const fn new(publisher: Arc<Publisher>) -> Self {
        Self { publisher }
    }
}

impl Actor for RabbitPublisher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let publisher = Arc::clone(&self.publisher);
        let keep = async move {
            loop {
                // The failure was logged while connecting.
                let _known = publisher.keep().await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        ctx.spawn(keep.into_actor(self));
    }
}

/// Sends messages in order; the confirms come later.
#[derive(Debug, Message)]
#[rtype(result = "Result<Confirms, RabbitError>")]
pub struct Publish(pub Vec<Outgoing>);

impl Handler<Publish> for RabbitPublisher {
    type Result = ResponseFuture<Result<Confirms, RabbitError>>;

    fn handle(&mut self, Publish(messages): Publish, _: &mut Self::Context) -> Self::Result {
        let publisher = Arc::clone(&self.publisher);
        Box::pin(async move { publisher.send(&messages).await })
    }
}
