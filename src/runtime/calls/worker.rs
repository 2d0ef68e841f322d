//! Supervised actors that do a service's calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use actix_guardian::{Limits, Runtime, Sharded};

use super::{Call, CallError, Outcome, Registry};
use crate::runtime::{Traced, within};

/// A service that does the calls `C`.
pub trait Handles<C: Call>: Send + Sync + 'static {
    /// Does it.
    fn handle(&self, call: C) -> impl Future<Output = Outcome<C>> + Send;
}

/// One of the actors that work for the service `S`, whose state they share. It keeps nothing of its own, so that a
/// fresh one goes on at once.
pub struct Worker<S>(Arc<S>);

impl<S: Send + Sync + 'static> Actor for Worker<S> {
    type Context = Context<Self>;
}

/// A call on its way to a worker.
struct Job<C>(C);

impl<C: Call> Message for Job<C> {
    type Result = Outcome<C>;
}

impl<S: Handles<C>, C: Call> Handler<Traced<Job<C>>> for Worker<S> {
    type Result = ResponseFuture<Outcome<C>>;

    fn handle(&mut self, Traced(Job(call), trace): Traced<Job<C>>, _: &mut Self::Context) -> Self::Result {
        let service = Arc::clone(&self.0);
        within(trace, Box::pin(async move { service.handle(call).await }))
    }
}

/// The workers of one service: a bounded number of calls is under way, each within a deadline.
pub struct Workers<S: Send + Sync + 'static> {
    actors: Sharded<Worker<S>>,
    next: Arc<AtomicUsize>,
}

impl<S: Send + Sync + 'static> Clone for Workers<S> {
    fn clone(&self) -> Self {
        Self { actors: self.actors.clone(), next: Arc::clone(&self.next) }
    }
}

impl<S: Send + Sync + 'static> Workers<S> {
    /// Starts `count` supervised actors that share `service`.
    pub fn start(runtime: &Runtime, name: &'static str, count: usize, limits: Limits, service: Arc<S>) -> Self {
        let actors = runtime.supervise_sharded(name, count, limits, move || Worker(Arc::clone(&service)));
        Self { actors, next: Arc::default() }
    }

    /// Lets a worker do a call.
    ///
    /// # Errors
    /// What the handler refused it for, or why no worker answered.
    pub async fn ask<C: Call>(&self, call: C) -> Outcome<C>
    where
        S: Handles<C>,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let done = self.actors.of(&turn).ask(Traced::new(Job(call))).await;
        done.map_err(|error| CallError::of_actor(C::SERVICE, error))
    }

    /// Registers the calls `C`, which the workers do.
    pub fn on<C: Call>(&self, registry: &mut Registry) -> &Self
    where
        S: Handles<C>,
    {
        let workers = self.clone();
        registry.on(move |call: C| {
            let workers = workers.clone();
            async move { workers.ask(call).await }
        });
        self
    }
}
