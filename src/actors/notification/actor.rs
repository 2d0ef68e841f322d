//! The actor: sends one notification through its channel for each delivery.
//!
//! It has no state, so that many notifications are in progress at once; a panic affects only those, and each is
//! retried.
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

/// Shorter than the caller's deadline.
const GIVE_UP_AFTER: Duration = Duration::from_secs(25);

/// Notifies through one channel.
pub struct NotificationActor {
    channel: Arc<dyn Channel>,
}

/// Notifies about a delivery.
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
    // Within the actor, so that a panic ends it and a new one continues.
    type Result = ResponseActFuture<Self, Result<(), HandleError>>;

    fn handle(&mut self, Deliver(delivery): Deliver, _: &mut Self::Context) -> Self::Result {
        let channel = Arc::clone(&self.channel);
        let work = async move {
            // Calls made here belong to the trace of the request that caused the event.
            let trace = delivery.trace.map_or_else(Trace::begin, Trace::child);
            let sent = tokio::time::timeout(GIVE_UP_AFTER, trace.scope(channel.notify(&delivery))).await;
            sent.unwrap_or_else(|_| Err(HandleError::Transient(format!("no {} in time", channel.name()))))
        };
        Box::pin(work.into_actor(self))
    }
}
