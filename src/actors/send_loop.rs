//! Works off a stored queue for as long as its actor lives: claims what is due and works on a
//! bounded number at once.
//!
//! What is claimed and not finished, because the actor died or the process ends, is claimed
//! anew when its claim is over.
//!
//! **Invariant:** nothing is claimed without a slot to begin it at once, so that a claim has
//! to outlast one attempt and no queueing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::{integrations::redis::Wake, store::StoreError};

/// How often to look for what is due when nothing wakes it; more seldom where other nodes do.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What outlives the actor: how many attempts are under way, and whether more may begin.
pub(super) struct SendLoop {
    /// For logs.
    name: &'static str,
    at_once: u32,
    /// Wakes it.
    due: Arc<Notify>,
    wake: Wake,
    topic: &'static str,
    /// One for each attempt under way.
    slots: Semaphore,
    ending: AtomicBool,
}

impl SendLoop {
    /// A loop over the queue called `name`, with at most `at_once` attempts under way, which is woken
    /// by this topic.
    pub(super) fn new(name: &'static str, at_once: u32, wake: &Wake, topic: &'static str) -> Self {
        let slots = Semaphore::new(usize::try_from(at_once).unwrap_or(1));
        Self {
            name,
            at_once,
            due: wake.listen(topic),
            wake: wake.clone(),
            topic,
            slots,
            ending: AtomicBool::new(false),
        }
    }

    /// Something may be due, for whichever node has a slot.
    pub(super) fn wake(&self) {
        self.wake.wake(self.topic);
    }

    /// Begins no more attempts, and waits for those under way.
    pub(super) async fn finish(&self, within: Duration) {
        self.ending.store(true, Ordering::Release);
        let _late = tokio::time::timeout(within, self.slots.acquire_many(self.at_once)).await;
    }

    /// Whether what takes long is to be put aside.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Never ends: looks after the `books`, `claim`s as many as there are free slots and works
    /// on them by `attempt`.
    pub(super) async fn run<T>(
        &self,
        mut books: impl AsyncFnMut(),
        claim: impl AsyncFn(u32) -> Result<Vec<T>, StoreError>,
        attempt: impl AsyncFn(T),
    ) {
        let mut sending = FuturesUnordered::new();
        loop {
            books().await;
            if let Some(mut free) = self.free() {
                let limit = u32::try_from(free.num_permits()).unwrap_or(self.at_once);
                match claim(limit).await {
                    Ok(claimed) => sending.extend(claimed.into_iter().map(|item| {
                        let slot = free.split(1);
                        let attempt = &attempt;
                        async move {
                            attempt(item).await;
                            drop(slot);
                        }
                    })),
                    Err(error) => tracing::warn!(%error, queue = self.name, "what is due cannot be claimed for now"),
                }
            }
            tokio::select! {
                Some(()) = sending.next() => {}
                () = self.due.notified() => {}
                () = tokio::time::sleep(self.wake.look_every(LOOK_EVERY)) => {}
            }
        }
    }

    /// All slots that are free, unless no more attempts may begin.
    fn free(&self) -> Option<SemaphorePermit<'_>> {
        let count = u32::try_from(self.slots.available_permits()).unwrap_or(self.at_once);
        let free = self.slots.try_acquire_many(count).ok()?;
        // Looked at last: who ends waits for all slots, and these are taken.
        (count > 0 && !self.ending.load(Ordering::Acquire)).then_some(free)
    }
}

/// Says when something is to be done that is done now and then.
#[derive(Default)]
pub(super) struct Every(Option<Instant>);

impl Every {
    /// Whether `pause` has passed since this was last true.
    pub(super) fn is_due(&mut self, pause: Duration) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= pause);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }

    /// It is to be done again at once.
    pub(super) fn again(&mut self) {
        self.0 = None;
    }
}
