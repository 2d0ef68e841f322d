//! Supervised actors for [actix](https://docs.rs/actix): what keeps one actor's panic, slowness or
//! flood from harming another.
//!
//! actix's own `Supervisor` restarts an actor after a stop but not after a panic: its mailbox is then
//! closed for good. Here a guardian holds the factory of each child and learns of its end by a drop
//! guard that lives inside the child. It starts a fresh child, with a growing pause. Callers hold a
//! [`Handle`] (or [`Sharded`], [`Keyed`]), never an address.
//!
//! **Invariant:** every call ends within its deadline in an answer or a typed [`AskError`]; the number
//! of calls that are let in at once is bounded; no address of a dead child is kept.

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

mod backoff;
mod child;
mod guardian;
mod handle;
mod keyed;
mod locks;
mod repeat;
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

pub use backoff::Backoff;
pub use handle::{Handle, Sharded};
pub use keyed::{Keyed, KeyedLimits};
pub use locks::StripedLocks;
pub use repeat::{Next, Pace};
pub use stats::{KindSnapshot, KindStats};

/// Why a caller got no answer of the actor's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError<E> {
    /// As many calls as are let in at once are under way. Not done.
    #[error("busy")]
    Busy,
    /// The actor is being started anew. Not done.
    #[error("restarting")]
    Restarting,
    /// The actor died with the call in its hands. Whether it was done is unknown.
    #[error("died while working on it")]
    Died,
    /// It took too long. Whether it was done is unknown.
    #[error("no answer in time")]
    Deadline,
    /// The actor's own answer.
    #[error(transparent)]
    Refused(E),
}

impl<E> AskError<E> {
    /// The same with the actor's own answer mapped.
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

/// How many calls an actor takes on, and how long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls let in at once; one more is [`AskError::Busy`].
    pub in_flight: usize,
    /// From the call to its answer.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 4_096, deadline: Duration::from_secs(10) }
    }
}

/// Something that [`Runtime::shutdown`] ends.
#[async_trait]
trait Stoppable: Send + Sync {
    /// Takes no more calls and ends its children.
    fn stop(&self);
    /// What it runs.
    fn stats(&self) -> &KindStats;
}

/// The arbiters and every kind of actor on them.
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

    /// Starts `shards` supervised actors of one kind, which take turns.
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

    /// A registry of actors, one for each key, started on first use.
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

    /// Every kind as it is now, in the order in which they were made; several entries of
    /// one name are added up.
    #[must_use]
    pub fn snapshot(&self) -> Vec<KindSnapshot> {
        self.kinds.lock().iter().map(|kind| kind.stats().snapshot()).collect()
    }

    /// Ends every actor, those made last first, and the arbiters. Returns how many
    /// were still alive at the deadline: 0 is a clean end.
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
