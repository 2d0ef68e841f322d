//! Work that goes on by itself.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::Notify;

use super::{Limits, Runtime};

/// The pause after a first failure; it doubles with each one in a row.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An actor that does nothing but run a future. When the future ends, so does the actor.
struct Loop<F>(Arc<F>);

impl<F, T> Actor for Loop<F>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = ()> + 'static,
{
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn((self.0)().into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

/// When a step is done again.
pub enum Next {
    /// At once: there may be more to do.
    Again,
    /// When it is woken, or the interval is over.
    Wait,
    /// After a pause that grows with each failure in a row.
    Failed,
}

/// How often a step is done.
pub struct Pace {
    interval: Box<dyn Fn() -> Duration + Send + Sync>,
    wake: Arc<Notify>,
}

impl Pace {
    /// Once in this interval.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::by(move || interval)
    }

    /// In an interval that is asked for each time.
    pub fn by(interval: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { interval: Box::new(interval), wake: Arc::default() }
    }

    /// And whenever this is notified.
    #[must_use]
    pub fn or_woken(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }
}

impl Runtime {
    /// Runs a future over `state` that is not to end. When it ends or panics, a fresh one goes on with the same state:
    /// at once at first, and after growing pauses when that happens again.
    pub fn background<S, T>(&self, kind: &'static str, state: Arc<S>, run: impl Fn(Arc<S>) -> T + Send + Sync + 'static)
    where
        S: Send + Sync + 'static,
        T: Future<Output = ()> + 'static,
    {
        let make = Arc::new(move || run(Arc::clone(&state)));
        self.supervise(kind, Limits::default(), move || Loop(Arc::clone(&make)));
    }

    /// Does `step` over `state` again and again, at this pace. One that panics is done anew, after a pause.
    pub fn repeat<S, T>(
        &self,
        kind: &'static str,
        pace: Pace,
        state: Arc<S>,
        step: impl Fn(Arc<S>) -> T + Send + Sync + 'static,
    ) where
        S: Send + Sync + 'static,
        T: Future<Output = Next> + 'static,
    {
        self.background(kind, Arc::new((pace, state, step)), async |work| {
            let (Pace { interval, wake }, state, step) = &*work;
            let mut pause = PAUSE;
            loop {
                match step(Arc::clone(state)).await {
                    // Lets others run in between.
                    Next::Again => tokio::task::yield_now().await,
                    Next::Wait => {
                        let _either = tokio::time::timeout(interval(), wake.notified()).await;
                    }
                    Next::Failed => {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        continue;
                    }
                }
                pause = PAUSE;
            }
        });
    }
}
