//! Passes the trace of a call into the actor together with the message.
//!
//! An actor handles a message in its own task, not in the caller's task, so the task-local trace has to be passed
//! explicitly: `ask(Traced::new(message))`.

use actix::{Message, ResponseFuture};

use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
    },
    trace::Trace,
};

/// A message with the trace of its sender.
#[derive(Debug)]
pub struct Traced<M>(pub(crate) M, pub(crate) Option<Trace>);

impl<M> Traced<M> {
    /// `message` with the current trace.
    pub fn new(message: M) -> Self {
        Self(message, Trace::current())
    }
}

impl<M: Message> Message for Traced<M> {
    type Result = M::Result;
}

/// Runs `work` as a part of `trace`.
pub fn within<T: 'static>(trace: Option<Trace>, work: ResponseFuture<T>) -> ResponseFuture<T> {
    match trace {
        Some(trace) => Box::pin(trace.scope(work)),
        None => work,
    }
}

/// The stored form of an event, with the current trace.
#[must_use]
pub fn envelope(event: Event, now: Timestamp) -> Envelope {
    Envelope { trace: Trace::current().map(|trace| trace.to_string()), ..Envelope::new(event, now) }
}
