//! Supervised actors that handle a service's calls.

use std::{hash::Hash, sync::Arc};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use actix_guardian::{Keyed, KeyedLimits, Limits, Runtime, Sharded};
use futures_util::future::BoxFuture;

use super::{Call, CallError, Outcome, Registry};
use crate::{
    config::Service,
    runtime::{Traced, within},
};

/// A service that handles the calls `C`.
pub trait Handles<C: Call>: Send + Sync + 'static {
    fn handle(&self, call: C) -> impl Future<Output = Outcome<C>> + Send;
}

/// An actor of the service `S`. All workers of a service share its state and keep none of their own, so that a
/// restarted worker continues at once.
pub struct Worker<S>(Arc<S>);

impl<S: Send + Sync + 'static> Actor for Worker<S> {
    type Context = Context<Self>;
}

/// The future of a running step.
type StepFuture<T, E> = BoxFuture<'static, Result<T, CallError<E>>>;

/// A message with the step that a worker runs.
struct Step<S, T, E>(Box<dyn FnOnce(Arc<S>) -> StepFuture<T, E> + Send>);

impl<S, T, E> Step<S, T, E> {
    fn new<F>(step: impl FnOnce(Arc<S>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        Self(Box::new(move |state| Box::pin(step(state))))
    }
}

impl<S: 'static, T: 'static, E: 'static> Message for Step<S, T, E> {
    type Result = Result<T, CallError<E>>;
}

impl<S, T, E> Handler<Traced<Step<S, T, E>>> for Worker<S>
where
    S: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Result = ResponseFuture<Result<T, CallError<E>>>;

    fn handle(&mut self, Traced(Step(step), trace): Traced<Step<S, T, E>>, _: &mut Self::Context) -> Self::Result {
        within(trace, step(Arc::clone(&self.0)))
    }
}

/// The workers of one service. Calls are distributed round-robin; their number is bounded and each has a deadline.
pub struct Workers<S: Send + Sync + 'static>(Sharded<Worker<S>>);

impl<S: Send + Sync + 'static> Clone for Workers<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Send + Sync + 'static> Workers<S> {
    /// Starts `count` supervised actors that share `service`.
    pub fn start(runtime: &Runtime, name: &'static str, count: usize, limits: Limits, service: Arc<S>) -> Self {
        Self(runtime.supervise_sharded(name, count, limits, move || Worker(Arc::clone(&service))))
    }

    /// Sends a call to a worker.
    ///
    /// # Errors
    /// The handler's refusal, or the reason why no worker answered.
    pub async fn ask<C: Call>(&self, call: C) -> Outcome<C>
    where
        S: Handles<C>,
    {
        self.run(C::SERVICE, |state| async move { state.handle(call).await }).await
    }

    /// Runs one step of a call of `service` on a worker. The step continues even if the caller stops waiting.
    ///
    /// # Errors
    /// The error of the step, or the reason why no worker answered.
    pub async fn run<T, E, F>(
        &self,
        service: Service,
        step: impl FnOnce(Arc<S>) -> F + Send + 'static,
    ) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        let done = self.0.next().ask(Traced::new(Step::new(step))).await;
        done.map_err(|error| CallError::of_actor(service, error))
    }

    /// Registers the workers as handlers of the calls `C`.
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

/// One worker per key, started on first use and stopped when idle. All work on one key goes to the same worker.
pub struct KeyedWorkers<K, S: Send + Sync + 'static> {
    actors: Keyed<K, Worker<S>>,
    service: Service,
}

impl<K, S: Send + Sync + 'static> Clone for KeyedWorkers<K, S> {
    fn clone(&self) -> Self {
        Self { actors: self.actors.clone(), service: self.service }
    }
}

impl<K, S> KeyedWorkers<K, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    /// Creates the registry of workers, which share `state` and belong to `service`.
    pub fn new(runtime: &Runtime, name: &'static str, limits: KeyedLimits, service: Service, state: Arc<S>) -> Self {
        Self { actors: runtime.keyed(name, limits, move |_| Worker(Arc::clone(&state))), service }
    }

    /// Sends a call to the worker of `key`.
    ///
    /// # Errors
    /// The handler's refusal, or the reason why the worker did not answer.
    pub async fn ask<C: Call>(&self, key: &K, call: C) -> Outcome<C>
    where
        S: Handles<C>,
    {
        self.run(key, |state| async move { state.handle(call).await }).await
    }

    /// Runs a step that is not a call on the worker of `key`.
    ///
    /// # Errors
    /// The error of the step, or the reason why the worker did not answer.
    pub async fn run<T, E, F>(
        &self,
        key: &K,
        step: impl FnOnce(Arc<S>) -> F + Send + 'static,
    ) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, CallError<E>>> + Send + 'static,
    {
        let done = self.actors.ask(key, Traced::new(Step::new(step))).await;
        done.map_err(|error| CallError::of_actor(self.service, error))
    }

    /// Registers the calls `C`, which go to the worker of their key.
    pub fn on<C: Call>(&self, registry: &mut Registry, key: impl Fn(&C) -> K + Send + Sync + 'static) -> &Self
    where
        S: Handles<C>,
    {
        let workers = self.clone();
        registry.on(move |call: C| {
            let (workers, key) = (workers.clone(), key(&call));
            async move { workers.ask(&key, call).await }
        });
        self
    }
}
