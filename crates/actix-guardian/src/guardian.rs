//! Restarts a child whenever it ends, until its handle is stopped.
//!
//! **Invariant:** at most one child is alive at a time, and none after the handle is stopped.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ArbiterHandle, Context};
use tokio::{sync::mpsc, time::Instant};

use super::{
    KindStats, Limits,
    child::{Child, End},
    handle::{ChildState, Handle},
    restarts::Restarts,
};

/// After this time without a death a child has recovered: its backoff starts again.
const RECOVERED: Duration = Duration::from_secs(10);

/// Creates a new child.
pub(super) type Factory<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// Starts a guardian and its child on `arbiter`; returns the handle that callers use.
pub(super) fn start<A>(arbiter: &ArbiterHandle, stats: Arc<KindStats>, limits: Limits, factory: Factory<A>) -> Handle<A>
where
    A: Actor<Context = Context<A>> + Send,
{
    let handle = Handle::new(stats, limits);
    let guardian =
        Guardian { arbiter: arbiter.clone(), factory, handle: handle.clone(), restarts: Restarts::default() };
    // The guardian is a task and not an actor, because it must survive a panic of its child and consists only of this
    // loop.
    arbiter.spawn(guardian.watch());
    handle
}

struct Guardian<A: Actor> {
    arbiter: ArbiterHandle,
    factory: Factory<A>,
    handle: Handle<A>,
    restarts: Restarts,
}

impl<A: Actor<Context = Context<A>> + Send> Guardian<A> {
    async fn watch(mut self) {
        let state = Arc::clone(self.handle.state());
        let mut stopped = state.child.subscribe();
        let mut failing = false;
        while !matches!(*state.child.borrow(), ChildState::Stopped) {
            let (ended, mut ends) = mpsc::unbounded_channel::<End>();
            let on_end = move |end| {
                // During shutdown the guardian may be gone; then the message is not needed.
                let _ = ended.send(end);
            };
            let running = Child::start(&self.arbiter, &state.stats, (self.factory)(), on_end);
            let started_at = Instant::now();
            state.child.send_if_modified(|child| {
                let goes_on = !matches!(child, ChildState::Stopped);
                if goes_on {
                    *child = ChildState::At(running.addr().clone());
                }
                goes_on
            });
            let recovered = tokio::time::sleep_until(started_at + RECOVERED);
            tokio::pin!(recovered);
            let end = loop {
                tokio::select! {
                    end = ends.recv() => break end,
                    () = &mut recovered, if failing => {
                        failing = false;
                        state.stats.failing(-1);
                    }
                    _ = stopped.wait_for(|child| matches!(child, ChildState::Stopped)) => break None,
                }
            };
            let Some(end) = end else {
                drop(running);
                break;
            };
            state.child.send_if_modified(|child| {
                let goes_on = !matches!(child, ChildState::Stopped);
                if goes_on {
                    *child = ChildState::Restarting;
                }
                goes_on
            });
            if started_at.elapsed() >= RECOVERED {
                self.restarts = Restarts::default();
            }
            let pause = self.restarts.next_pause();
            state.stats.restarted();
            tracing::warn!(actor.kind = state.stats.name(), ?end, ?pause, "an actor ended and is restarted");
            if self.restarts.is_failing() && !failing {
                failing = true;
                state.stats.failing(1);
            }
            let over = stopped.wait_for(|child| matches!(child, ChildState::Stopped));
            if tokio::time::timeout(pause, over).await.is_ok() {
                break;
            }
        }
        if failing {
            state.stats.failing(-1);
        }
    }
}
