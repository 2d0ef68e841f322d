//! Supervised actors for [actix](https://docs.rs/actix), which isolate one actor's panic, slowness or overload from
//! the others.
//!
//! actix's own `Supervisor` restarts an actor after a stop but not after a panic: the mailbox is then
//! closed for good. In this crate a guardian holds the factory of each child and is notified of the child's end by a
//! drop guard inside the child. It then starts a new child, with exponential backoff. Callers hold a
//! [`Handle`] (or [`Sharded`], [`Keyed`]), never an address.
//!
//! **Invariant:** every call ends within its deadline with an answer or a typed [`AskError`]; the number
//! of concurrent calls is bounded; no address of a dead child is kept.

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

mod child;
mod guardian;
mod handle;
mod keyed;
mod locks;
mod repeat;
mod restarts;
mod stats;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Arbiter, ArbiterHandle, Context};
use async_trait::async_trait;
use parking_lot::Mutex;

pub use handle::{Handle, Sharded};
pub use keyed::{Keyed, KeyedLimits};
pub use locks::KeyLocks;
pub use repeat::{Next, Pace};
pub use stats::{KindSnapshot, KindStats};

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError<E> {
    /// The maximum number of calls is in progress. The call was not done.
    #[error("busy")]
    Busy,
    /// The actor is being restarted. The call was not done.
    #[error("restarting")]
    Restarting,
    /// The actor died while it handled the call. Whether the call was done is unknown.
    #[error("died while working on it")]
    Died,
    /// The deadline passed. Whether the call was done is unknown.
    #[error("no answer in time")]
    Deadline,
    /// The actor's own answer.
    #[error(transparent)]
    Refused(E),
}

impl<E> AskError<E> {
    /// Maps the actor's own error.
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> AskError<F> {
        match self {
            Self::Busy => AskError::Busy,
            Self::Restarting => AskError::Restarting,
            Self::Died => AskError::Died,
            Self::Deadline => AskError::Deadline,
            Self::Refused(error) => AskError::Refused(map(error)),
        }
    }
}

/// How many calls an actor accepts, and how long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Concurrent calls; one more fails with [`AskError::Busy`].
    pub in_flight: usize,
    /// The time from the call to its answer.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 4_096, deadline: Duration::from_secs(10) }
    }
}

/// Anything that [`Runtime::shutdown`] stops.
#[async_trait]
trait Stoppable: Send + Sync {
    /// Accepts no more calls and stops the children.
    fn stop(&self);
    fn stats(&self) -> &KindStats;
}

/// The arbiters and all kinds of actors that run on them.
pub struct Runtime {
    arbiters: Vec<Arbiter>,
    next: AtomicUsize,
    kinds: Mutex<Vec<Arc<dyn Stoppable>>>,
}

impl Runtime {
    /// A runtime with this many arbiters (threads). Needs a running `actix_rt::System`.
    #[must_use]
    pub fn new(arbiters: usize) -> Self {
        let arbiters = (0..arbiters.max(1)).map(|_| Arbiter::new()).collect();
        Self { arbiters, next: AtomicUsize::new(0), kinds: Mutex::new(vec![]) }
    }

    /// Starts one supervised actor.
    pub fn supervise<A>(
        &self,
        kind: &'static str,
        limits: Limits,
        factory: impl Fn() -> A + Send + Sync + 'static,
    ) -> Handle<A>
    where
        A: Actor<Context = Context<A>> + Send,
    {
        let stats = Arc::new(KindStats::new(kind));
        let handle = guardian::start(&self.arbiter(), Arc::clone(&stats), limits, Arc::new(factory));
        self.kinds.lock().push(Arc::new(handle.clone()));
        handle
    }

    /// Starts `shards` supervised actors of one kind, which are used round-robin.
    pub fn supervise_sharded<A>(
        &self,
        kind: &'static str,
        shards: usize,
        limits: Limits,
        factory: impl Fn() -> A + Send + Sync + 'static,
    ) -> Sharded<A>
    where
        A: Actor<Context = Context<A>> + Send,
    {
        let stats = Arc::new(KindStats::new(kind));
        let factory: Arc<dyn Fn() -> A + Send + Sync> = Arc::new(factory);
        let start = |_| guardian::start(&self.arbiter(), Arc::clone(&stats), limits, Arc::clone(&factory));
        let sharded = Sharded::new((0..shards.max(1)).map(start).collect());
        self.kinds.lock().push(Arc::new(sharded.clone()));
        sharded
    }

    /// Creates a registry of actors, one per key, started on first use.
    pub fn keyed<K, A>(
        &self,
        kind: &'static str,
        limits: KeyedLimits,
        factory: impl Fn(&K) -> A + Send + Sync + 'static,
    ) -> Keyed<K, A>
    where
        K: Clone + Eq + std::hash::Hash + Send + 'static,
        A: Actor<Context = Context<A>> + Send,
    {
        let arbiters = self.arbiters.iter().map(Arbiter::handle).collect();
        let keyed = Keyed::new(Arc::new(KindStats::new(kind)), limits, arbiters, Box::new(factory));
        self.kinds.lock().push(Arc::new(keyed.clone()));
        keyed
    }

    /// The statistics of every kind, in the order of creation. The same name can occur more than once; its values are
    /// to be added.
    #[must_use]
    pub fn snapshot(&self) -> Vec<KindSnapshot> {
        self.kinds.lock().iter().map(|kind| kind.stats().snapshot()).collect()
    }

    /// Stops all actors in reverse order of creation, and then the arbiters. Returns how many actors were still alive at
    /// the deadline: 0 is a clean end.
    pub async fn shutdown(&self, deadline: Duration) -> i64 {
        let ends = tokio::time::Instant::now() + deadline;
        let kinds = std::mem::take(&mut *self.kinds.lock());
        for kind in kinds.iter().rev() {
            kind.stop();
            kind.stats().none_alive(ends).await;
        }
        let alive = kinds.iter().map(|kind| kind.stats().snapshot().alive).sum();
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        alive
    }

    fn arbiter(&self) -> ArbiterHandle {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.arbiters[next % self.arbiters.len()].handle()
    }
}

#[cfg(test)]
mod tests;
