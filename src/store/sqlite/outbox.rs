//! Events that wait for delivery.

use async_trait::async_trait;

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{Timestamp, event::Envelope, ids::first_id_of},
    store::outbox::WaitingEvents,
};

/// Up to this many sequences, waiting events are counted; above that, each sequence counts as an event.
const COUNTED: u64 = 10_000;

#[async_trait]
impl WaitingEvents for Engine {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        let after = codec::offset(after);
        self.read(move |connection| {
            let sql = "SELECT seq, doc FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            codec::all(connection, sql, (after, limit), |row| Ok((row.get(0)?, codec::document(row, 1)?)))
        })
        .await
    }

    async fn take_out(&self, sequences: &[u64]) -> Result<(), StoreError> {
        let runs = runs(sequences);
        self.write(move |writing| {
            for run in &runs {
                codec::execute(writing, "DELETE FROM outbox WHERE seq BETWEEN ?1 AND ?2", *run)?;
            }
            Ok(())
        })
        .await
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            let span = "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM outbox";
            match codec::count(connection, span, [])? {
                // Counting reads every page, and after a long outage there are many events, without gaps.
                span if span > COUNTED => Ok(span),
                _ => codec::count(connection, "SELECT count(*) FROM outbox", []),
            }
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

/// The sequences as contiguous ranges, so that a relay's batch is one delete.
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
