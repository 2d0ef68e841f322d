//! Background work and repeated tasks.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use growing_backoff::Backoff;
use tokio::sync::Notify;

use super::{Limits, Runtime};

/// The pauses after consecutive failures.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(1));

/// An actor that runs one future and ends with it.
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

/// When the next step runs.
pub enum Next {
    /// At once, because there may be more to do.
    Again,
    /// After the interval, or earlier when notified.
    Wait,
    /// After a pause that grows with each consecutive failure.
    Failed,
}

/// How often a step runs.
pub struct Pace {
    interval: Box<dyn Fn() -> Duration + Send + Sync>,
    notify: Arc<Notify>,
}

impl Pace {
    /// Once per interval.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::by(move || interval)
    }

    /// With an interval that is read again before each wait.
    pub fn by(interval: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { interval: Box::new(interval), notify: Arc::default() }
    }

    /// Also whenever `notify` is notified.
    #[must_use]
    pub fn or_notified(self, notify: Arc<Notify>) -> Self {
        Self { notify, ..self }
    }
}

impl Runtime {
    /// Runs a future over `state` that does not normally end. When it ends or panics, a new one is started with the same
    /// state and with backoff.
    pub fn background<S, T>(&self, kind: &'static str, state: Arc<S>, run: impl Fn(Arc<S>) -> T + Send + Sync + 'static)
    where
        S: Send + Sync + 'static,
        T: Future<Output = ()> + 'static,
    {
        let make = Arc::new(move || run(Arc::clone(&state)));
        self.supervise(kind, Limits::default(), move || Loop(Arc::clone(&make)));
    }

    /// Runs `step` over `state` repeatedly at this pace. After a panic it is restarted with backoff.
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
            let (Pace { interval, notify }, state, step) = &*work;
            let mut failures: u32 = 0;
            loop {
                match step(Arc::clone(state)).await {
                    // Lets other tasks run in between.
                    Next::Again => tokio::task::yield_now().await,
                    Next::Wait => {
                        let _either = tokio::time::timeout(interval(), notify.notified()).await;
                    }
                    Next::Failed => {
                        failures = failures.saturating_add(1);
                        tokio::time::sleep(PAUSES.after(failures)).await;
                        continue;
                    }
                }
                failures = 0;
            }
        });
    }
}
