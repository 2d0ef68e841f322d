//! Actors by key, started on first use and stopped when idle.
//!
//! **Invariant:** at most one child per key receives calls, and a key without a child takes no memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Weak},
    time::Duration,
};

use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, dev::ToEnvelope};
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    AskError, KindStats, Limits, Stoppable,
    child::{Child, End},
    handle::ask_until,
    restarts::Restarts,
};

/// Limits of a keyed registry.
#[derive(Debug, Clone, Copy)]
pub struct KeyedLimits {
    /// The limits for all keys together.
    pub all: Limits,
    /// Concurrent calls for one key.
    pub per_key: u32,
    /// Active keys at a time; a call for one more fails with [`AskError::Busy`].
    pub awake: usize,
    /// After this time without a call an actor is stopped.
    pub idle: Duration,
}

impl Default for KeyedLimits {
    fn default() -> Self {
        Self { all: Limits::default(), per_key: 256, awake: 200_000, idle: Duration::from_secs(30) }
    }
}

const SHARDS: usize = 64;

/// Actors of one kind, one per key.
pub struct Keyed<K, A: Actor>(pub(super) Arc<Registry<K, A>>);

/// The state that the registry's clones share.
pub(super) struct Registry<K, A: Actor> {
    stats: Arc<KindStats>,
    limits: KeyedLimits,
    permits: Semaphore,
    arbiters: Vec<ArbiterHandle>,
    factory: Box<dyn Fn(&K) -> A + Send + Sync>,
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<K, Entry<A>>>>,
}

struct Entry<A: Actor> {
    child: Option<Child<A>>,
    /// Distinguishes the end of this child from the end of an earlier one.
    generation: u64,
    in_flight: u32,
    last_used: Instant,
    restarts: Restarts,
    not_before: Option<Instant>,
}

impl<K, A: Actor> Clone for Keyed<K, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, A> Keyed<K, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    A: Actor<Context = Context<A>> + Send,
{
    pub(super) fn new(
        stats: Arc<KindStats>,
        limits: KeyedLimits,
        arbiters: Vec<ArbiterHandle>,
        factory: Box<dyn Fn(&K) -> A + Send + Sync>,
    ) -> Self {
        let registry = Arc::new(Registry {
            stats,
            limits,
            permits: Semaphore::new(limits.all.in_flight),
            factory,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            arbiters,
        });
        let every = (limits.idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(5));
        if let Some(arbiter) = registry.arbiters.first() {
            arbiter.spawn(sweep(Arc::downgrade(&registry), every));
        }
        Self(registry)
    }

    /// Sends a message to the actor of `key`, which is started if it is not running.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask<M, T, E>(&self, key: &K, message: M) -> Result<T, AskError<E>>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message<Result = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let Ok(_permit) = self.0.permits.try_acquire() else {
            self.0.stats.refused();
            return Err(AskError::Busy);
        };
        let _in_flight = self.0.stats.enter();
        let deadline = Instant::now() + self.0.limits.all.deadline;
        let call = self.0.enter(key)?;
        ask_until(&call.addr, message, deadline).await
    }
}

/// A call in progress on one key; the key stays active until this is dropped.
struct Call<'a, K: Eq + Hash, A: Actor> {
    registry: &'a Registry<K, A>,
    key: K,
    addr: Addr<A>,
}

impl<K: Eq + Hash, A: Actor> Drop for Call<'_, K, A> {
    fn drop(&mut self) {
        let mut shard = self.registry.shard(&self.key).lock();
        if let Some(entry) = shard.get_mut(&self.key) {
            entry.in_flight = entry.in_flight.saturating_sub(1);
            entry.last_used = Instant::now();
        }
    }
}

impl<K: Eq + Hash, A: Actor> Registry<K, A> {
    fn index(&self, key: &K) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::try_from(hash >> 32).unwrap_or(0)
    }

    fn shard(&self, key: &K) -> &Mutex<HashMap<K, Entry<A>>> {
        &self.shards[self.index(key) % SHARDS]
    }
}

impl<K, A> Registry<K, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    A: Actor<Context = Context<A>> + Send,
{
    fn enter<E>(self: &Arc<Self>, key: &K) -> Result<Call<'_, K, A>, AskError<E>> {
        let now = Instant::now();
        let mut shard = self.shard(key).lock();
        if !shard.contains_key(key) && shard.len() >= self.limits.awake.div_ceil(SHARDS) {
            self.stats.refused();
            return Err(AskError::Busy);
        }
        let entry = shard.entry(key.clone()).or_insert_with(|| Entry {
            child: None,
            generation: 0,
            in_flight: 0,
            last_used: now,
            restarts: Restarts::default(),
            not_before: None,
        });
        if entry.in_flight >= self.limits.per_key {
            self.stats.refused();
            return Err(AskError::Busy);
        }
        if entry.not_before.is_some_and(|moment| moment > now) {
            return Err(AskError::Restarting);
        }
        let dead = entry.child.as_ref().is_none_or(|child| !child.addr().connected());
        if dead {
            entry.generation += 1;
            entry.child = Some(self.start(key, entry.generation));
        }
        let Some(child) = &entry.child else { return Err(AskError::Restarting) };
        let addr = child.addr().clone();
        entry.in_flight += 1;
        entry.last_used = now;
        Ok(Call { registry: self, key: key.clone(), addr })
    }

    fn start(self: &Arc<Self>, key: &K, generation: u64) -> Child<A> {
        let arbiter = &self.arbiters[(self.index(key) / SHARDS) % self.arbiters.len()];
        let (registry, ended_key) = (Arc::downgrade(self), key.clone());
        Child::start(arbiter, &self.stats, (self.factory)(key), move |end| {
            if let Some(registry) = registry.upgrade() {
                registry.ended(&ended_key, generation, end);
            }
        })
    }

    fn ended(&self, key: &K, generation: u64, end: End) {
        let mut shard = self.shard(key).lock();
        let Some(entry) = shard.get_mut(key).filter(|entry| entry.generation == generation) else { return };
        entry.child = None;
        if end == End::Crashed {
            self.stats.restarted();
            let pause = entry.restarts.next_pause();
            let now = Instant::now();
            entry.not_before = (!pause.is_zero()).then(|| now + pause);
            entry.last_used = now;
        } else if entry.in_flight == 0 {
            shard.remove(key);
        }
    }

    /// The number of keys for which memory is allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().capacity()).sum()
    }

    /// Stops the actors that are idle and releases their memory.
    fn sleep_idle(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.retain(|_, entry| {
                let waiting = entry.not_before.is_some_and(|moment| moment > now);
                waiting || entry.in_flight > 0 || now.duration_since(entry.last_used) < self.limits.idle
            });
            if shard.capacity() > 4 * shard.len() {
                shard.shrink_to_fit();
            }
        }
    }
}

async fn sweep<K, A>(registry: Weak<Registry<K, A>>, every: Duration)
where
    K: Clone + Eq + Hash + Send + 'static,
    A: Actor<Context = Context<A>> + Send,
{
    loop {
        tokio::time::sleep(every).await;
        let Some(registry) = registry.upgrade() else { return };
        registry.sleep_idle();
    }
}

#[async_trait]
impl<K, A> Stoppable for Keyed<K, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    A: Actor<Context = Context<A>> + Send,
{
    fn stop(&self) {
        self.0.permits.close();
        for shard in &self.0.shards {
            shard.lock().clear();
        }
    }

    fn stats(&self) -> &KindStats {
        &self.0.stats
    }
}
