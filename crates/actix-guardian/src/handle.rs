//! The handles through which callers reach supervised actors.

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

/// A handle to a supervised actor. It finds the living child, limits the number of concurrent calls, and gives each
/// call a deadline.
pub struct Handle<A: Actor>(Arc<HandleState<A>>);

/// The state that the guardian and the handles share.
pub(super) struct HandleState<A: Actor> {
    pub(super) stats: Arc<KindStats>,
    pub(super) child: watch::Sender<ChildState<A>>,
    permits: Semaphore,
    limits: Limits,
}

pub(super) enum ChildState<A: Actor> {
    /// The child ended and is not restarted yet.
    Restarting,
    /// The child is running.
    At(Addr<A>),
    /// The handle is stopped; no child will be started.
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
        let (child, _) = watch::channel(ChildState::Restarting);
        Self(Arc::new(HandleState { stats, child, permits, limits }))
    }

    pub(super) fn state(&self) -> &Arc<HandleState<A>> {
        &self.0
    }

    /// Sends a message and waits for the answer, within the handle's deadline.
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
        let addr = self.address(deadline).await?;
        ask_until(&addr, message, deadline).await
    }

    /// The address of the living child; waits while it is being restarted.
    async fn address<E>(&self, deadline: Instant) -> Result<Addr<A>, AskError<E>> {
        let here = |child: &ChildState<A>| match child {
            ChildState::At(addr) if addr.connected() => Some(Ok(addr.clone())),
            ChildState::At(_) | ChildState::Restarting => None,
            ChildState::Stopped => Some(Err(AskError::Restarting)),
        };
        if let Some(found) = here(&self.0.child.borrow()) {
            return found;
        }
        let mut watcher = self.0.child.subscribe();
        let back = watcher.wait_for(|child| here(child).is_some());
        let soon = deadline.min(Instant::now() + RESTART_WAIT);
        match timeout_at(soon, back).await {
            Ok(Ok(child)) => here(&child).unwrap_or(Err(AskError::Restarting)),
            Ok(Err(_)) | Err(_) => Err(AskError::Restarting),
        }
    }
}

/// How long a call waits for a restarting actor before it fails.
const RESTART_WAIT: std::time::Duration = std::time::Duration::from_millis(500);

/// Sends a message and waits; distinguishes a dead actor, a slow actor and an answer.
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
        self.0.child.send_replace(ChildState::Stopped);
    }

    fn stats(&self) -> &KindStats {
        &self.0.stats
    }
}

/// Supervised actors of one kind that are used round-robin.
pub struct Sharded<A: Actor> {
    shards: Arc<[Handle<A>]>,
    next_shard: Arc<AtomicUsize>,
}

impl<A: Actor> Clone for Sharded<A> {
    fn clone(&self) -> Self {
        Self { shards: Arc::clone(&self.shards), next_shard: Arc::clone(&self.next_shard) }
    }
}

impl<A: Actor> Sharded<A> {
    pub(super) fn new(shards: Vec<Handle<A>>) -> Self {
        Self { shards: shards.into(), next_shard: Arc::default() }
    }

    /// The next actor of the rotation.
    pub fn next(&self) -> &Handle<A> {
        &self.shards[self.next_shard.fetch_add(1, Ordering::Relaxed) % self.shards.len()]
    }
}

#[async_trait]
impl<A: Actor<Context = Context<A>>> Stoppable for Sharded<A> {
    fn stop(&self) {
        self.shards.iter().for_each(Stoppable::stop);
    }

    fn stats(&self) -> &KindStats {
        &self.shards[0].state().stats
    }
}
