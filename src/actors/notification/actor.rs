//! The actor: one delivery in, one notice out by its channel.
//!
//! It keeps no state, so that many notices are on their way at once; a panic loses
//! only those on their way, and each is tried again.
//!
//! **Invariant:** every delivery is answered before the caller's deadline, whatever the
//! channel does.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message, ResponseActFuture, WrapFuture};

use super::Channel;
use crate::{
    bus::{Delivery, HandleError},
    trace::Trace,
};

/// Less than the caller waits.
const GIVE_UP_AFTER: Duration = Duration::from_secs(25);

/// Tells by one channel.
pub struct NotificationActor {
    channel: Arc<dyn Channel>,
}

/// Tells of a delivery.
#[derive(Message)]
#[rtype(result = "Result<(), HandleError>")]
pub(super) struct Deliver(pub(super) Delivery);

impl NotificationActor {
    pub(super) fn new(channel: Arc<dyn Channel>) -> Self {
        Self { channel }
    }
}

impl Actor for NotificationActor {
    type Context = Context<Self>;
}

impl Handler<Deliver> for NotificationActor {
    // Within the actor, so that a panic ends it and a fresh one goes on.
    type Result = ResponseActFuture<Self, Result<(), HandleError>>;

    fn handle(&mut self, Deliver(delivery): Deliver, _: &mut Self::Context) -> Self::Result {
        let channel = Arc::clone(&self.channel);
        let work = async move {
            // What is asked for this is a part of what the request caused.
            let trace = delivery.trace.map_or_else(Trace::begin, Trace::child);
            let told = tokio::time::timeout(GIVE_UP_AFTER, trace.scope(channel.notify(&delivery))).await;
            told.unwrap_or_else(|_| Err(HandleError::Transient(format!("no {} in time", channel.name()))))
        };
        Box::pin(work.into_actor(self))
    }
}
