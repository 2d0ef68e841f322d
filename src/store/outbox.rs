//! Events on their way, and those that could not be handled.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Timestamp, event::Envelope};

/// A message that a consumer could not handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its place among the parked, set by the store.
    pub id: u64,
    /// The queue whose consumer could not handle it.
    pub queue: String,
    /// The event.
    pub envelope: Envelope,
    /// How often it was tried.
    pub attempts: u32,
    /// When to try again; `None` once it is dead.
    pub retry_at: Option<Timestamp>,
    /// What went wrong last.
    pub reason: String,
}

/// Keeps events from the write that caused them until they are handled.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// The oldest events with a sequence above `after`, at most `limit`, each with its sequence.
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError>;

    /// Takes the events of these sequences out, and parks what could not be handled, in
    /// one atomic write.
    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError>;

    /// How many events wait; above some thousands it may be a little more than there are.
    async fn depth(&self) -> Result<u64, StoreError>;

    /// Parked messages whose time has come at `now`, oldest first, at most `limit`.
    async fn retry_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Writes a parked message anew under its id (next try, or dead), or takes it out when handled.
    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError>;

    /// Dead messages with an id above `after`, oldest first, at most `limit`.
    async fn dead(&self, after: u64, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Lets dead messages be tried from `now` on, as often as new ones, in one atomic
    /// write; returns how many of these ids were dead.
    async fn revive(&self, ids: &[u64], now: Timestamp) -> Result<u64, StoreError>;

    /// Completes when events may have been written since the last time it did. One waiter.
    async fn written(&self);

    /// Forgets which events older than `before` were applied.
    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError>;
}
