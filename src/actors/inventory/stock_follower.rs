//! Follows the changes that other nodes make to the stock.
//!
//! **Invariant:** a change by another node is shown within a second while the store is available, and once it is back
//! after an outage; a late read repeats changes rather than miss one.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use parking_lot::Mutex;

use super::StockListener;
use crate::{
    domain::{Timestamp, inventory::StockLevel},
    integrations::redis::{ChangeNotifier, topic},
    runtime::{Next, Pace},
    store::{ClusterStore, StoreError},
};

/// How often to poll; less often where other nodes send notifications.
const EVERY: Duration = Duration::from_millis(250);
/// The shortest time between two reads: changes that arrive together are shown together.
const PAUSE: Duration = Duration::from_millis(50);
/// How far back each read reaches: a write takes a moment, and nodes' clocks differ.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// How many changes to read at once.
const BATCH: u32 = 5_000;

/// Reads the changed stock and remembers up to when it has read.
pub(super) struct StockFollower {
    store: Arc<dyn ClusterStore>,
    listener: Arc<dyn StockListener>,
    seen: Mutex<Timestamp>,
}

/// Reads when another node changed stock, and at an interval.
pub(super) fn pace(notifier: &ChangeNotifier) -> Pace {
    let every = notifier.clone();
    Pace::by(move || every.look_every(EVERY)).or_notified(notifier.listen(topic::STOCK))
}

/// Notifies `listener` and the other nodes.
struct NotifyingListener {
    listener: Arc<dyn StockListener>,
    notifier: ChangeNotifier,
}

impl StockListener for NotifyingListener {
    fn stock_changed(&self, level: &StockLevel) {
        self.listener.stock_changed(level);
        self.notifier.notify_others(topic::STOCK);
    }
}

/// A listener for this node's changes that notifies `listener` and the other nodes.
pub fn notifying_listener(listener: Arc<dyn StockListener>, notifier: ChangeNotifier) -> Arc<dyn StockListener> {
    Arc::new(NotifyingListener { listener, notifier })
}

impl StockFollower {
    pub(super) fn new(store: Arc<dyn ClusterStore>, listener: Arc<dyn StockListener>) -> Self {
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
                tracing::warn!(%error, "could not read stock changes of other nodes");
                Next::Failed
            }
        }
    }

    /// Reports every change since a while before `seen`; returns the time of the newest.
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
            // If the whole batch has the same time, reading again would never end.
            match changes.last() {
                Some(last) if full && last.at > since => since = last.at,
                _ => return Ok(newest),
            }
        }
    }
}
