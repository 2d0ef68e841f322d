//! Events on their way, and those that could not be handled.

use async_trait::async_trait;
use rusqlite::Row;

use super::{StoreError, codec, engine::Engine, writer::Writing};
use crate::{
    domain::{Timestamp, event::Envelope, ids::first_id_of},
    store::{OutboxStore, outbox::Parked},
};

/// Up to this many places, what waits is counted; beyond, each place is taken for an event.
const COUNTED: u64 = 10_000;
/// The columns that [`read_parked`] reads.
pub(super) const PARKED: &str = "id, queue, attempts, retry_at, reason, doc";

#[async_trait]
impl OutboxStore for Engine {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        let after = codec::offset(after);
        self.read(move |connection| {
            let sql = "SELECT seq, doc FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            codec::all(connection, sql, (after, limit), |row| Ok((row.get(0)?, codec::document(row, 1)?)))
        })
        .await
    }

    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError> {
        let runs = runs(sequences);
        let parked: Vec<_> = parked.iter().map(ParkedRow::new).collect::<Result<_, _>>()?;
        self.write(move |writing| {
            for run in &runs {
                codec::execute(writing, "DELETE FROM outbox WHERE seq BETWEEN ?1 AND ?2", *run)?;
            }
            parked.iter().try_for_each(|row| row.insert(writing))
        })
        .await
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            let span = "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM outbox";
            match codec::count(connection, span, [])? {
                // Counting reads every page: a long outage's events are many, and without gaps.
                span if span > COUNTED => Ok(span),
                _ => codec::count(connection, "SELECT count(*) FROM outbox", []),
            }
        })
        .await
    }

    async fn retry_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let now = now.as_microsecond();
        self.read(move |connection| {
            codec::all(
                connection,
                "SELECT id, queue, attempts, retry_at, reason, doc FROM parked
                 WHERE retry_at <= ?1 ORDER BY retry_at, id LIMIT ?2",
                (now, limit),
                read_parked,
            )
        })
        .await
    }

    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError> {
        let next = next.map(ParkedRow::new).transpose()?;
        self.write(move |writing| match &next {
            None => codec::execute(writing, "DELETE FROM parked WHERE id = ?1", [id]).map(|_| ()),
            Some(row) => row.update(writing, id),
        })
        .await
    }

    async fn dead(&self, after: u64, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let after = codec::offset(after);
        self.read(move |connection| {
            codec::all(
                connection,
                "SELECT id, queue, attempts, retry_at, reason, doc FROM parked
                 WHERE retry_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2",
                (after, limit),
                read_parked,
            )
        })
        .await
    }

    async fn revive(&self, ids: &[u64], now: Timestamp) -> Result<u64, StoreError> {
        let (ids, now) = (ids.to_vec(), now.as_microsecond());
        self.write(move |writing| {
            let sql = "UPDATE parked SET attempts = 0, retry_at = ?2 WHERE id = ?1 AND retry_at IS NULL";
            ids.iter().try_fold(0, |revived, id| {
                let changed = codec::execute(writing, sql, (id, now))?;
                Ok(revived + u64::try_from(changed).unwrap_or(0))
            })
        })
        .await
    }

    async fn written(&self) {
        self.written.notified().await;
    }

    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError> {
        let first_kept = first_id_of(before);
        self.write(move |writing| {
            let sql = "DELETE FROM dashboard_applied WHERE event < ?1";
            codec::execute(writing, sql, [first_kept.as_slice()]).map(|_| ())
        })
        .await
    }
}

/// The sequences as ranges of neighbours, so that a relay's batch is one delete.
fn runs(sequences: &[u64]) -> Vec<(u64, u64)> {
    let mut sorted = sequences.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for sequence in sorted {
        match runs.last_mut() {
            Some((_, last)) if sequence <= last.saturating_add(1) => *last = sequence,
            _ => runs.push((sequence, sequence)),
        }
    }
    runs
}

/// A parked message as its columns.
struct ParkedRow {
    queue: String,
    attempts: u32,
    retry_at: Option<i64>,
    reason: String,
    doc: Vec<u8>,
}

impl ParkedRow {
    fn new(parked: &Parked) -> Result<Self, StoreError> {
        Ok(Self {
            queue: parked.queue.clone(),
            attempts: parked.attempts,
            retry_at: parked.retry_at.map(codec::micros_up),
            reason: parked.reason.clone(),
            doc: codec::json(&parked.envelope)?,
        })
    }

    fn insert(&self, writing: &Writing<'_>) -> Result<(), StoreError> {
        let sql = "INSERT INTO parked (queue, attempts, retry_at, reason, doc) VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = (&self.queue, self.attempts, self.retry_at, &self.reason, &self.doc);
        codec::execute(writing, sql, row).map(|_| ())
    }

    fn update(&self, writing: &Writing<'_>, id: u64) -> Result<(), StoreError> {
        let sql = "UPDATE parked SET queue = ?2, attempts = ?3, retry_at = ?4, reason = ?5, doc = ?6 WHERE id = ?1";
        let row = (id, &self.queue, self.attempts, self.retry_at, &self.reason, &self.doc);
        codec::execute(writing, sql, row).map(|_| ())
    }
}

pub(super) fn read_parked(row: &Row<'_>) -> Result<Parked, StoreError> {
    let retry_at: Option<i64> = row.get(3)?;
    Ok(Parked {
        id: row.get(0)?,
        queue: row.get(1)?,
        attempts: row.get(2)?,
        retry_at: retry_at.map(codec::time).transpose()?,
        reason: row.get(4)?,
        envelope: codec::document(row, 5)?,
    })
}
