//! The trace of a call goes with its message into the actor.
//!
//! A message is worked on by the actor's task and not by its caller's, so that what the caller's
//! task knows has to be handed over: `ask(Traced::new(message))`.

use actix::{Message, ResponseFuture};

use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
    },
    trace::Trace,
};

/// A message with the trace that its sender's task belongs to.
#[derive(Debug)]
pub struct Traced<M>(pub(crate) M, pub(crate) Option<Trace>);

impl<M> Traced<M> {
    /// `message` in the trace of now.
    pub fn new(message: M) -> Self {
        Self(message, Trace::current())
    }
}

impl<M: Message> Message for Traced<M> {
    type Result = M::Result;
}

/// `work`, as a part of `trace`.
pub fn within<T: 'static>(trace: Option<Trace>, work: ResponseFuture<T>) -> ResponseFuture<T> {
    match trace {
        Some(trace) => Box::pin(trace.scope(work)),
        None => work,
    }
}

/// The event as it is stored, in the trace of now.
#[must_use]
pub fn envelope(event: Event, now: Timestamp) -> Envelope {
    Envelope { trace: Trace::current().map(|trace| trace.to_string()), ..Envelope::new(event, now) }
}
