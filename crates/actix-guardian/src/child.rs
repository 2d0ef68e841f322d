//! A running actor, from its owner's view.
//!
//! The owner is notified of the actor's end by a guard in the actor's own context, which is dropped together with the
//! context when the actor stops or a panic unwinds through it.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::KindStats;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Crashed,
    /// The actor or its owner stopped it.
    Stopped,
}

/// A running actor; dropping it ends the actor.
pub(super) struct Child<A: Actor> {
    addr: Addr<A>,
    _alive: oneshot::Sender<()>,
}

impl<A: Actor<Context = Context<A>> + Send> Child<A> {
    /// Starts `actor` on `arbiter`. `on_end` is called once, on the arbiter's thread and possibly during unwinding: it
    /// must not block and must not panic.
    pub(super) fn start(
        arbiter: &ArbiterHandle,
        stats: &Arc<KindStats>,
        actor: A,
        on_end: impl FnOnce(End) + Send + 'static,
    ) -> Self {
        let (alive, owner_gone) = oneshot::channel::<()>();
        stats.started();
        let guard = Guard { stats: Arc::clone(stats), on_end: Some(Box::new(on_end)) };
        let addr = A::start_in_arbiter(arbiter, move |ctx| {
            let wait_for_owner = async move {
                // The guard is dropped with this future, however it ends.
                let _guard = guard;
                let _ended_either_way = owner_gone.await;
                _guard
            };
            ctx.spawn(wait_for_owner.into_actor(&actor).map(|guard, _, ctx: &mut Context<A>| {
                ctx.stop();
                drop(guard);
            }));
            actor
        });
        Self { addr, _alive: alive }
    }

    pub(super) const fn addr(&self) -> &Addr<A> {
        &self.addr
    }
}

struct Guard {
    stats: Arc<KindStats>,
    on_end: Option<Box<dyn FnOnce(End) + Send>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stats.ended();
        let end = if std::thread::panicking() { End::Crashed } else { End::Stopped };
        if let Some(on_end) = self.on_end.take() {
            on_end(end);
        }
    }
}
