//! `RabbitPublisher`: hands messages to the broker.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};

use crate::bus::rabbit::{Confirms, Outgoing, Publisher, RabbitError};

/// Publishes. The channel is the [`Publisher`]'s, so that a fresh actor goes on with it.
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
}

/// Sends in order; the confirms come later.
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
