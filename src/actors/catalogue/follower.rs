//! Follows the store's changes and updates the search index.
//!
//! **Invariant:** the index never skips a change: changes that it has not committed are read again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    index::{IndexError, SearchIndex},
    snapshots::{Snapshot, Snapshots},
};
use crate::{
    integrations::redis::ChangeNotifier,
    runtime::Runtime,
    store::{ProductStore, StoreError, products::ProductChange},
};

/// How many changes to read at once.
const BATCH: u32 = 1_000;
/// The shortest time between two commits: changes that arrive together are committed together.
const PAUSE: Duration = Duration::from_millis(100);
/// After this long without a change the index's writer is released.
const IDLE: Duration = Duration::from_secs(3);
/// How often to poll for changes of other nodes; less often where they send notifications.
const SHARED: Duration = Duration::from_millis(250);
/// How often to check for a missing change, once a second.
const LOOKS: u32 = 12;
/// The pause after a failure.
const TROUBLE: Duration = Duration::from_secs(1);
/// How often to check whether the index's files are intact.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The index is rebuilt after this many failures in a row, even if its files look intact.
const FAILURES_MAX: u32 = 5;

/// How the follower is notified of changes.
pub(super) struct Changed {
    pub(super) notifier: ChangeNotifier,
    pub(super) heard: Arc<Notify>,
}

/// Reads changes by their sequence, from the one that the index last committed, so that a crash or a missed
/// notification leaves no gap.
pub(super) struct IndexFollower {
    store: ProductStore,
    index: Arc<SearchIndex>,
    changed: Changed,
    /// The snapshots to invalidate, if other nodes change products too.
    snapshots: Option<Arc<Snapshots>>,
    caught_up: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the index's work was cut short")]
    Cut,
}

impl IndexFollower {
    pub(super) fn new(
        store: ProductStore,
        index: Arc<SearchIndex>,
        changed: Changed,
        snapshots: Option<Arc<Snapshots>>,
        caught_up: Arc<AtomicBool>,
    ) -> Self {
        Self { store, index, changed, snapshots, caught_up }
    }

    /// Starts to follow.
    pub(super) fn start(self, runtime: &Runtime) {
        runtime.background("search_index", Arc::new(self), async |follower| follower.run().await);
    }

    async fn run(&self) {
        let (mut looked, mut failures) = (Instant::now(), 0);
        loop {
            if looked.elapsed() >= LOOK_EVERY {
                self.look(failures >= FAILURES_MAX).await;
                looked = Instant::now();
            }
            match self.catch_up().await {
                Ok(()) => {
                    failures = 0;
                    self.caught_up.store(true, Ordering::Release);
                    self.wait().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the search index could not follow the store; retrying");
                    failures = match error {
                        FollowError::Index(_) if failures < FAILURES_MAX => failures + 1,
                        // A panic indicates a damaged index.
                        FollowError::Cut => FAILURES_MAX,
                        FollowError::Index(_) | FollowError::Store(_) => 0,
                    };
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
    }

    /// Rebuilds the index if its files were deleted or damaged, or `anyway`.
    async fn look(&self, anyway: bool) {
        let index = Arc::clone(&self.index);
        let done = tokio::task::spawn_blocking(move || index.rebuild_if_damaged(anyway)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "the search index could not be rebuilt");
        }
    }

    async fn wait(&self) {
        tokio::time::sleep(PAUSE).await;
        if self.snapshots.is_some() {
            // Without Redis there are no notifications from other nodes.
            let every = self.changed.notifier.look_every(SHARED);
            let _either = tokio::time::timeout(every, self.changed.heard.notified()).await;
            return;
        }
        if tokio::time::timeout(IDLE, self.changed.heard.notified()).await.is_ok() {
            return;
        }
        if let Err(error) = self.blocking(|index, _| index.release_writer(), vec![]).await {
            tracing::warn!(%error, "the search index could not release its memory");
        }
    }

    async fn catch_up(&self) -> Result<(), FollowError> {
        let mut seen = self.index.last_sequence();
        // An index that knows more than the store belongs to another store, or to a later
        // state of it than the one that was restored.
        if seen > 0 && !self.caught_up.load(Ordering::Acquire) && !self.knows(seen).await? {
            self.blocking(|index, _| index.clear(), vec![]).await?;
            seen = 0;
        }
        let mut any = false;
        loop {
            let changes = self.store.changes_since(seen, BATCH).await?;
            let Some(last) = changes.last() else { break };
            seen = last.sequence;
            let full = changes.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            self.show(&changes);
            self.blocking(SearchIndex::apply, changes).await?;
            any = true;
            if !full {
                break;
            }
        }
        if any || self.index.is_rebuilding() {
            self.blocking(|index, _| index.commit(), vec![]).await?;
        }
        Ok(())
    }

    /// Whether the store knows of the change `seen`, or a later one.
    async fn knows(&self, seen: u64) -> Result<bool, StoreError> {
        // In a shared store a change may be hidden for a while by pending ones.
        let looks = if self.snapshots.is_some() { LOOKS } else { 1 };
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(TROUBLE).await;
            }
            if !self.store.changes_since(seen - 1, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the snapshots of products that another node changed: the next reader loads them again.
    fn show(&self, changes: &[ProductChange]) {
        let Some(snapshots) = &self.snapshots else { return };
        for change in changes {
            let held = snapshots.get(change.id);
            let current =
                |held: &Snapshot| change.product.as_ref().is_some_and(|now| now.version <= held.product.version);
            if held.is_some_and(|held| !current(&held)) {
                snapshots.remove(change.id);
            }
        }
    }

    async fn blocking(
        &self,
        work: fn(&SearchIndex, &[ProductChange]) -> Result<(), IndexError>,
        changes: Vec<ProductChange>,
    ) -> Result<(), FollowError> {
        let index = Arc::clone(&self.index);
        let done = tokio::task::spawn_blocking(move || work(&index, &changes)).await;
        Ok(done.map_err(|_| FollowError::Cut)??)
    }
}
