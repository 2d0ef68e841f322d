//! Starts a child anew whenever it ends, for as long as its handle is not stopped.
//!
//! **Invariant:** at most one child lives at a time, and none after the handle is stopped.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ArbiterHandle, Context};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Backoff, KindStats, Limits,
    child::{Child, End},
    handle::{Handle, Living},
};

/// A child that lived this long has recovered: its next death counts as the first.
const RECOVERED: Duration = Duration::from_secs(10);

/// Makes a fresh child.
pub(super) type Factory<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// Starts a guardian and its child on `arbiter`; returns the handle that callers use.
pub(super) fn start<A>(arbiter: &ArbiterHandle, stats: Arc<KindStats>, limits: Limits, factory: Factory<A>) -> Handle<A>
where
    A: Actor<Context = Context<A>> + Send,
{
    let handle = Handle::new(stats, limits);
    let guardian = Guardian { arbiter: arbiter.clone(), factory, handle: handle.clone(), backoff: Backoff::default() };
    // The guardian is a task of the arbiter and not an actor, since it must outlive any
    // panic of its child and has nothing but this loop.
    arbiter.spawn(guardian.watch());
    handle
}

struct Guardian<A: Actor> {
    arbiter: ArbiterHandle,
    factory: Factory<A>,
    handle: Handle<A>,
    backoff: Backoff,
}

impl<A: Actor<Context = Context<A>> + Send> Guardian<A> {
    async fn watch(mut self) {
        let shared = Arc::clone(self.handle.shared());
        let mut stopped = shared.living.subscribe();
        let mut failing = false;
        while !matches!(*shared.living.borrow(), Living::Stopped) {
            let (ended, mut ends) = mpsc::unbounded_channel::<End>();
            let on_end = move |end| {
                // The guardian may be gone at shutdown; then nobody needs to know.
                let _ = ended.send(end);
            };
            let child = Child::start(&self.arbiter, &shared.stats, (self.factory)(), on_end);
            let born = Instant::now();
            shared.living.send_if_modified(|living| {
                let goes_on = !matches!(living, Living::Stopped);
                if goes_on {
                    *living = Living::At(child.addr().clone());
                }
                goes_on
            });
            let recovered = tokio::time::sleep_until(born + RECOVERED);
            tokio::pin!(recovered);
            let end = loop {
                tokio::select! {
                    end = ends.recv() => break end,
                    () = &mut recovered, if failing => {
                        failing = false;
                        shared.stats.failing(-1);
                    }
                    _ = stopped.wait_for(|living| matches!(living, Living::Stopped)) => break None,
                }
            };
            let Some(end) = end else {
                drop(child);
                break;
            };
            shared.living.send_if_modified(|living| {
                let goes_on = !matches!(living, Living::Stopped);
                if goes_on {
                    *living = Living::Restarting;
                }
                goes_on
            });
            if born.elapsed() >= RECOVERED {
                self.backoff = Backoff::default();
            }
            let pause = self.backoff.next_pause();
            shared.stats.restarted();
            tracing::warn!(actor.kind = shared.stats.name(), ?end, ?pause, "an actor ended and is started anew");
            if self.backoff.is_failing() && !failing {
                failing = true;
                shared.stats.failing(1);
            }
            let over = stopped.wait_for(|living| matches!(living, Living::Stopped));
            if tokio::time::timeout(pause, over).await.is_ok() {
                break;
            }
        }
        if failing {
            shared.stats.failing(-1);
        }
    }
}
