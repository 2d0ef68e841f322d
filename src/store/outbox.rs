//! Events that wait for delivery, and parked messages.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Document, Index, SaveError, key, stored_as},
    sequence::Sequence,
};
use crate::{
    config::Service,
    domain::{Timestamp, event::Envelope, ids::UserId},
};

/// How often a new number is tried when one is taken.
const TRIES: u32 = 4;
/// How many parked messages are written together.
const AT_ONCE: usize = 64;
/// How many parked messages are read at once.
const READ_AT_ONCE: u32 = 256;

/// A message that a consumer could not handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Its number among the parked messages, set by the store.
    pub id: u64,
    /// The queue whose consumer could not handle it.
    pub queue: String,
    /// The event.
    pub envelope: Envelope,
    /// How many attempts were made.
    pub attempts: u32,
    /// When to try again; `None` once it is dead.
    pub retry_at: Option<Timestamp>,
    /// The last error.
    pub reason: String,
}

/// Stores events from the write that caused them until they are handled.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// The oldest events with a sequence above `after`, at most `limit`, each with its sequence.
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError>;

    /// Parks the messages that could not be handled, then deletes the events of these sequences. After a crash in
    /// between both steps are repeated, and no message is parked twice.
    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError>;

    /// How many events wait; above some thousands this may be a slight overestimate.
    async fn depth(&self) -> Result<u64, StoreError>;

    /// Parked messages that are due at `now`, the oldest first, at most `limit`.
    async fn retry_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Updates a parked message (next attempt, or dead), or deletes it once it is handled.
    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError>;

    /// Dead messages with an id above `after`, oldest first, at most `limit`.
    async fn dead(&self, after: u64, limit: u32) -> Result<Vec<Parked>, StoreError>;

    /// Makes dead messages due at `now` with all their attempts; returns how many of these ids were dead.
    async fn revive(&self, ids: &[u64], now: Timestamp) -> Result<u64, StoreError>;

    /// Removes what names a user from the parked messages.
    async fn forget_user(&self, user: UserId) -> Result<(), StoreError>;

    /// Completes when events may have been written since it last completed. Supports one waiter.
    async fn written(&self);

    /// Deletes the records of applied events older than `before`.
    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// The waiting events in a database.
#[async_trait]
pub(super) trait WaitingEvents: Send + Sync {
    /// As [`OutboxStore::waiting`].
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError>;

    /// Deletes the events of these sequences.
    async fn take_out(&self, sequences: &[u64]) -> Result<(), StoreError>;

    /// As [`OutboxStore::depth`].
    async fn depth(&self) -> Result<u64, StoreError>;

    /// Whether this node is the one that retries parked messages.
    async fn carries_parked(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// As [`OutboxStore::written`].
    async fn written(&self);

    /// As [`OutboxStore::forget_applied`].
    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// A stored parked message, under its event and queue, so that parking it twice makes one record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredParked {
    name: String,
    #[serde(flatten)]
    parked: Parked,
    #[serde(skip)]
    version: u64,
}

/// The unique keys of a parked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParkedKey {
    /// Its place.
    Number,
}

const NUMBER: Index<StoredParked> = Index::unique("number", ParkedKey::Number, |of| key(of.parked.id));
const DUE: Index<StoredParked> = Index::new("due", |of| key((of.parked.retry_at?, of.parked.id)));
const DEAD: Index<StoredParked> =
    Index::new("dead", |of| if of.parked.retry_at.is_none() { key(of.parked.id) } else { None });

impl Document for StoredParked {
    type Unique = ParkedKey;

    const COLLECTION: &'static str = "parked";
    const SERVICE: Service = Service::Notification;
    const INDEXES: &'static [Index<Self>] = &[NUMBER, DUE, DEAD];

    stored_as!(self, String = self.name.clone(), self.version);
}

/// No number changes once it is stored.
impl From<SaveError<ParkedKey>> for StoreError {
    fn from(error: SaveError<ParkedKey>) -> Self {
        match error {
            SaveError::Duplicate(ParkedKey::Number) => Self::Conflict,
            SaveError::Store(error) => error,
        }
    }
}

/// The outbox of a database, with parked messages as documents.
pub(super) struct DocumentOutbox {
    events: Arc<dyn WaitingEvents>,
    parked: Collection<StoredParked>,
    /// For parked messages: handled ones are deleted, and a number is never used twice.
    numbers: Sequence,
}

impl DocumentOutbox {
    pub(super) fn new(events: Arc<dyn WaitingEvents>, backend: Arc<dyn Backend>) -> Self {
        Self { events, parked: Collection::new(backend), numbers: Sequence::new() }
    }

    async fn park(&self, parked: &Parked) -> Result<(), StoreError> {
        let state = if parked.retry_at.is_some() { "retry" } else { "dead" };
        let name = format!("{}:{}:{state}", parked.envelope.id, parked.queue);
        let mut row = StoredParked { name, parked: parked.clone(), version: 0 };
        for _ in 0..TRIES {
            row.parked.id = self.numbers.next();
            match self.parked.save(&row, &[]).await {
                // Another node assigned the same number in the same microsecond.
                Err(SaveError::Duplicate(ParkedKey::Number)) => {}
                // By the interrupted call before.
                Err(SaveError::Store(StoreError::Conflict)) => return Ok(()),
                written => return Ok(written.map(|_| ())?),
            }
        }
        Err(StoreError::Busy)
    }

    /// The id of the message with this number.
    async fn name(&self, id: u64) -> Result<Option<String>, StoreError> {
        Ok(self.parked.first(NUMBER.of(id)).await?.map(|found| found.name))
    }

    async fn revive_one(&self, id: u64, now: Timestamp) -> Result<u64, StoreError> {
        let Some(name) = self.name(id).await? else { return Ok(0) };
        let revived = self.parked.change(name, |StoredParked { parked, .. }| {
            let was_dead = parked.retry_at.is_none();
            (parked.attempts, parked.retry_at) = (0, Some(now));
            was_dead.then_some(())
        });
        Ok(u64::from(revived.await?.is_some()))
    }
}

fn shown(found: Vec<StoredParked>) -> Vec<Parked> {
    found.into_iter().map(|found| found.parked).collect()
}

#[async_trait]
impl OutboxStore for DocumentOutbox {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        self.events.waiting(after, limit).await
    }

    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError> {
        for some in parked.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|parked| self.park(parked))).await?;
        }
        if sequences.is_empty() { Ok(()) } else { self.events.take_out(sequences).await }
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        self.events.depth().await
    }

    async fn retry_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError> {
        if !self.events.carries_parked().await? {
            return Ok(vec![]);
        }
        Ok(shown(self.parked.find(DUE.due(now).limit(limit)).await?))
    }

    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError> {
        let Some(name) = self.name(id).await? else { return Ok(()) };
        match next {
            None => self.parked.delete(name).await.map(|_| ()),
            Some(next) => {
                let change = |stored: &mut StoredParked| {
                    // The stored event may have been changed since it was read: see `forget_user`.
                    let envelope = stored.parked.envelope.clone();
                    stored.parked = Parked { id, envelope, ..next.clone() };
                    Some(())
                };
                self.parked.change(name, change).await?;
                Ok(())
            }
        }
    }

    async fn dead(&self, after: u64, limit: u32) -> Result<Vec<Parked>, StoreError> {
        Ok(shown(self.parked.find(DEAD.all().behind(after).limit(limit)).await?))
    }

    async fn revive(&self, ids: &[u64], now: Timestamp) -> Result<u64, StoreError> {
        let mut revived = 0;
        for some in ids.chunks(AT_ONCE) {
            let each = try_join_all(some.iter().map(|id| self.revive_one(*id, now))).await?;
            revived += each.into_iter().sum::<u64>();
        }
        Ok(revived)
    }

    async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let found = self.parked.find(NUMBER.all().behind(after).limit(READ_AT_ONCE)).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.parked.id;
            for StoredParked { name, .. } in found {
                let forget = |stored: &mut StoredParked| stored.parked.envelope.event.forget(user).then_some(());
                self.parked.change(name, forget).await?;
            }
        }
    }

    async fn written(&self) {
        self.events.written().await;
    }

    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError> {
        self.events.forget_applied(before).await
    }
}
