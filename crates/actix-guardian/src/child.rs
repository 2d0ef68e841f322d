//! A running actor, as its owner holds it.
//!
//! The owner learns of the end by a guard that lives in the actor's own context: it is
//! dropped with the context, by a stop or by a panic that unwinds through it.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::KindStats;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By a panic.
    Crashed,
    /// Because it or its owner wanted to.
    Stopped,
}

/// A running actor; dropping it ends the actor.
pub(super) struct Child<A: Actor> {
    addr: Addr<A>,
    _alive: oneshot::Sender<()>,
}

impl<A: Actor<Context = Context<A>> + Send> Child<A> {
    /// Starts `actor` on `arbiter`. `on_end` is called once, on the arbiter's thread
    /// and maybe while it unwinds: it must not block and must not panic.
    pub(super) fn start(
        arbiter: &ArbiterHandle,
        stats: &Arc<KindStats>,
        actor: A,
        on_end: impl FnOnce(End) + Send + 'static,
    ) -> Self {
        let (alive, owner_gone) = oneshot::channel::<()>();
        stats.born();
        let guard = Guard { stats: Arc::clone(stats), on_end: Some(Box::new(on_end)) };
        let addr = A::start_in_arbiter(arbiter, move |ctx| {
            let wait_for_owner = async move {
                // Dropped with this future, however it ends.
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
