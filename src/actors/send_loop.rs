//! Processes a stored queue for as long as its actor lives: claims due items and works on a bounded number at once.
//!
//! An item that is claimed but not finished, because the actor died or the process ended, is claimed again when its
//! claim expires.
//!
//! **Invariant:** an item is claimed only when a slot is free to start it at once, so that a claim only has to
//! outlast one attempt.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::{integrations::redis::ChangeNotifier, store::StoreError};

/// How often to poll for due items; less often where other nodes send notifications.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The state that outlives the actor: how many attempts are in progress, and whether more may start.
pub(super) struct SendLoop {
    /// For logs.
    name: &'static str,
    at_once: u32,
    /// Wakes it.
    due: Arc<Notify>,
    notifier: ChangeNotifier,
    topic: &'static str,
    /// One permit for each attempt in progress.
    slots: Semaphore,
    ending: AtomicBool,
}

impl SendLoop {
    /// A loop over the queue called `name`, with at most `at_once` attempts in progress, notified by this topic.
    pub(super) fn new(name: &'static str, at_once: u32, notifier: &ChangeNotifier, topic: &'static str) -> Self {
        let slots = Semaphore::new(usize::try_from(at_once).unwrap_or(1));
        Self {
            name,
            at_once,
            due: notifier.listen(topic),
            notifier: notifier.clone(),
            topic,
            slots,
            ending: AtomicBool::new(false),
        }
    }

    /// Notifies every node that an item may be due.
    pub(super) fn notify(&self) {
        self.notifier.notify(self.topic);
    }

    /// Starts no more attempts, and waits for those in progress.
    pub(super) async fn finish(&self, within: Duration) {
        self.ending.store(true, Ordering::Release);
        let _late = tokio::time::timeout(within, self.slots.acquire_many(self.at_once)).await;
    }

    /// Whether long work should be interrupted.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Never ends: does the `housekeeping`, `claim`s as many items as there are free slots, and processes each with
    /// `attempt`.
    pub(super) async fn run<T>(
        &self,
        mut housekeeping: impl AsyncFnMut(),
        claim: impl AsyncFn(u32) -> Result<Vec<T>, StoreError>,
        attempt: impl AsyncFn(T),
    ) {
        let mut sending = FuturesUnordered::new();
        loop {
            housekeeping().await;
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
                    Err(error) => tracing::warn!(%error, queue = self.name, "could not claim due items; retrying"),
                }
            }
            tokio::select! {
                Some(()) = sending.next() => {}
                () = self.due.notified() => {}
                () = tokio::time::sleep(self.notifier.look_every(LOOK_EVERY)) => {}
            }
        }
    }

    /// All slots that are free, unless no more attempts may begin.
    fn free(&self) -> Option<SemaphorePermit<'_>> {
        let count = u32::try_from(self.slots.available_permits()).unwrap_or(self.at_once);
        let free = self.slots.try_acquire_many(count).ok()?;
        // Checked last: `finish` waits for all slots, and these are taken.
        (count > 0 && !self.ending.load(Ordering::Acquire)).then_some(free)
    }
}

/// Tells when periodic work is due.
#[derive(Default)]
pub(super) struct DueTimer(Option<Instant>);

impl DueTimer {
    /// Whether `pause` has passed since this was last true.
    pub(super) fn is_due(&mut self, pause: Duration) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= pause);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }

    /// Makes the work due at once.
    pub(super) fn again(&mut self) {
        self.0 = None;
    }
}
