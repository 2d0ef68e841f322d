//! Shows what other nodes did to the stock.
//!
//! **Invariant:** what another node changed is shown within a second while the store is
//! there, and after it was away; a late look repeats changes rather than miss one.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use parking_lot::Mutex;

use super::StockListener;
use crate::{
    domain::{Timestamp, inventory::StockLevel},
    integrations::redis::{Wake, topic},
    runtime::{Next, Pace},
    store::{SharedStore, StoreError},
};

/// How often to look; more seldom where other nodes wake it.
const EVERY: Duration = Duration::from_millis(250);
/// The shortest time between two looks: changes that come together are shown together.
const PAUSE: Duration = Duration::from_millis(50);
/// How far back each look reaches: a write takes a moment, and clocks of nodes differ.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// How many changes to read at once.
const BATCH: u32 = 5_000;

/// Where the stock was read up to.
pub(super) struct Follow {
    store: Arc<dyn SharedStore>,
    listener: Arc<dyn StockListener>,
    seen: Mutex<Timestamp>,
}

/// Looks when another node changed stock, and from time to time.
pub(super) fn pace(wake: &Wake) -> Pace {
    let every = wake.clone();
    Pace::by(move || every.look_every(EVERY)).or_notified(wake.listen(topic::STOCK))
}

/// Tells `listener`, and other nodes that there is something to look at.
struct Waking {
    listener: Arc<dyn StockListener>,
    wake: Wake,
}

impl StockListener for Waking {
    fn stock_changed(&self, level: &StockLevel) {
        self.listener.stock_changed(level);
        self.wake.wake_others(topic::STOCK);
    }
}

/// Is told of what this node changes, for `listener` and for other nodes.
pub fn waking(listener: Arc<dyn StockListener>, wake: Wake) -> Arc<dyn StockListener> {
    Arc::new(Waking { listener, wake })
}

impl Follow {
    pub(super) fn new(store: Arc<dyn SharedStore>, listener: Arc<dyn StockListener>) -> Self {
        Self { store, listener, seen: Mutex::new(Timestamp::now()) }
    }

    pub(super) async fn look(&self) -> Next {
        let seen = *self.seen.lock();
        match self.show_since(seen).await {
            Ok(newest) => {
                *self.seen.lock() = newest;
                tokio::time::sleep(PAUSE).await;
                Next::Wait
            }
            Err(error) => {
                tracing::warn!(%error, "stock of other nodes is not followed");
                Next::Failed
            }
        }
    }

    /// Tells of every change since a while before `seen`; returns when the newest was.
    async fn show_since(&self, seen: Timestamp) -> Result<Timestamp, StoreError> {
        let mut since = seen.saturating_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut newest = seen;
        loop {
            let changes = self.store.stock_changed_since(since, BATCH).await?;
            let full = changes.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            for change in &changes {
                self.listener.stock_changed(&change.level);
                newest = newest.max(change.at);
            }
            // All of one moment would be read for ever.
            match changes.last() {
                Some(last) if full && last.at > since => since = last.at,
                _ => return Ok(newest),
            }
        }
    }
}
