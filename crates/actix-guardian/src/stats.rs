//! The statistics of each kind of actor, for `/readyz` and `/metrics`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::{sync::Notify, time::Instant};

/// Counters of one kind of actor.
#[derive(Debug)]
pub struct KindStats {
    name: &'static str,
    alive: AtomicI64,
    in_flight: AtomicI64,
    failing: AtomicI64,
    restarts: AtomicU64,
    refused: AtomicU64,
    ended: Notify,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSnapshot {
    pub name: &'static str,
    /// Living actors.
    pub alive: i64,
    /// Calls in progress.
    pub in_flight: i64,
    /// Actors that keep dying.
    pub failing: i64,
    /// Restarts after a crash since the process started.
    pub restarts: u64,
    /// Calls refused because of a limit since the process started.
    pub refused: u64,
}

impl KindStats {
    /// Counters that are all 0.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            alive: AtomicI64::new(0),
            in_flight: AtomicI64::new(0),
            failing: AtomicI64::new(0),
            restarts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            ended: Notify::new(),
        }
    }

    #[must_use]
    pub fn snapshot(&self) -> KindSnapshot {
        KindSnapshot {
            name: self.name,
            alive: self.alive.load(Ordering::Acquire),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            failing: self.failing.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn started(&self) {
        self.alive.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn ended(&self) {
        self.alive.fetch_sub(1, Ordering::AcqRel);
        self.ended.notify_waiters();
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failing(&self, change: i64) {
        self.failing.fetch_add(change, Ordering::Relaxed);
    }

    /// Counts a call in progress until the guard is dropped.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Waits until no actor is alive, or until the deadline.
    pub(super) async fn none_alive(&self, deadline: Instant) {
        loop {
            let ended = self.ended.notified();
            let none = self.alive.load(Ordering::Acquire) <= 0;
            if none || tokio::time::timeout_at(deadline, ended).await.is_err() {
                return;
            }
        }
    }
}

/// A call in progress.
pub(super) struct InFlight<'a>(&'a KindStats);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
