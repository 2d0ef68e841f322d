//! Releases expired reservations.

use std::{sync::Arc, time::Duration};

use super::actor::Stock;
use crate::{
    domain::Timestamp,
    runtime::{Next, Pace, Runtime},
};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// How many to release in one write.
const BATCH: u32 = 256;

/// Starts to look for expired reservations. Runs on every node, because releasing is idempotent.
pub(super) fn start(runtime: &Runtime, stock: Arc<Stock>) {
    runtime.repeat("reservation_expiry", Pace::every(EVERY), stock, async |stock| release_expired(&stock).await);
}

async fn release_expired(stock: &Stock) -> Next {
    match stock.store.release_expired(Timestamp::now(), BATCH).await {
        Ok(moves) => {
            moves.iter().for_each(|moved| stock.notify(&moved.changed));
            let full = moves.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            if full { Next::Again } else { Next::Wait }
        }
        Err(error) => {
            tracing::warn!(%error, "could not release expired reservations; retrying");
            Next::Failed
        }
    }
}
