//! What callers hold of a supervised actor.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::{Actor, Addr, Context, Handler, MailboxError, Message, dev::ToEnvelope};
use async_trait::async_trait;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};

use super::{AskError, KindStats, Limits, Stoppable};

/// A supervised actor: finds the living child, lets in a bounded number of calls at
/// once, and asks with a deadline.
pub struct Handle<A: Actor>(Arc<Shared<A>>);

/// What the guardian and the handles share.
pub(super) struct Shared<A: Actor> {
    pub(super) stats: Arc<KindStats>,
    pub(super) living: watch::Sender<Living<A>>,
    permits: Semaphore,
    limits: Limits,
}

/// Where the child is.
pub(super) enum Living<A: Actor> {
    /// Between two lives.
    Restarting,
    /// Here.
    At(Addr<A>),
    /// The end: no more lives.
    Stopped,
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Actor> Handle<A> {
    pub(super) fn new(stats: Arc<KindStats>, limits: Limits) -> Self {
        let permits = Semaphore::new(limits.in_flight);
        let (living, _) = watch::channel(Living::Restarting);
        Self(Arc::new(Shared { stats, living, permits, limits }))
    }

    pub(super) fn shared(&self) -> &Arc<Shared<A>> {
        &self.0
    }

    /// Asks the actor and waits for its answer, within the handle's deadline.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask<M, T, E>(&self, message: M) -> Result<T, AskError<E>>
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
        let deadline = Instant::now() + self.0.limits.deadline;
        let addr = self.living(deadline).await?;
        ask_until(&addr, message, deadline).await
    }

    /// The living child, waiting for it to be back if it is being restarted.
    async fn living<E>(&self, deadline: Instant) -> Result<Addr<A>, AskError<E>> {
        let here = |living: &Living<A>| match living {
            Living::At(addr) if addr.connected() => Some(Ok(addr.clone())),
            Living::At(_) | Living::Restarting => None,
            Living::Stopped => Some(Err(AskError::Restarting)),
        };
        if let Some(found) = here(&self.0.living.borrow()) {
            return found;
        }
        let mut watcher = self.0.living.subscribe();
        let back = watcher.wait_for(|living| here(living).is_some());
        let soon = deadline.min(Instant::now() + RESTART_PATIENCE);
        match timeout_at(soon, back).await {
            Ok(Ok(living)) => here(&living).unwrap_or(Err(AskError::Restarting)),
            Ok(Err(_)) | Err(_) => Err(AskError::Restarting),
        }
    }
}

/// How long a call waits for a restarting actor before it is told so.
const RESTART_PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// Sends and waits, telling a dead actor from a slow one and from its own answer.
pub(super) async fn ask_until<A, M, T, E>(addr: &Addr<A>, message: M, deadline: Instant) -> Result<T, AskError<E>>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    if !addr.connected() {
        return Err(AskError::Restarting);
    }
    match timeout_at(deadline, addr.send(message)).await {
        Ok(Ok(answer)) => answer.map_err(AskError::Refused),
        Ok(Err(MailboxError::Closed)) => Err(AskError::Died),
        Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::Deadline),
    }
}

#[async_trait]
impl<A: Actor<Context = Context<A>>> Stoppable for Handle<A> {
    fn stop(&self) {
        self.0.permits.close();
        self.0.living.send_replace(Living::Stopped);
    }

    fn stats(&self) -> &KindStats {
        &self.0.stats
    }
}

/// Supervised actors of one kind that take turns.
pub struct Sharded<A: Actor> {
    shards: Arc<[Handle<A>]>,
    turn: Arc<AtomicUsize>,
}

impl<A: Actor> Clone for Sharded<A> {
    fn clone(&self) -> Self {
        Self { shards: Arc::clone(&self.shards), turn: Arc::clone(&self.turn) }
    }
}

impl<A: Actor> Sharded<A> {
    pub(super) fn new(shards: Vec<Handle<A>>) -> Self {
        Self { shards: shards.into(), turn: Arc::default() }
    }

    /// The actor whose turn it is.
    pub fn next(&self) -> &Handle<A> {
        &self.shards[self.turn.fetch_add(1, Ordering::Relaxed) % self.shards.len()]
    }
}

#[async_trait]
impl<A: Actor<Context = Context<A>>> Stoppable for Sharded<A> {
    fn stop(&self) {
        self.shards.iter().for_each(Stoppable::stop);
    }

    fn stats(&self) -> &KindStats {
        &self.shards[0].shared().stats
    }
}
