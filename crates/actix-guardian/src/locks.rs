//! Turns: a bounded set of locks over any number of keys.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

/// How long to wait for one's turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks by key. Two keys may share a lock: they then wait for one another needlessly, and
/// nothing else happens.
pub struct StripedLocks {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl StripedLocks {
    /// So many locks.
    #[must_use]
    pub fn new(stripes: usize) -> Self {
        Self { stripes: (0..stripes.max(1)).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Waits for the key's turn; `None` when it did not come in time.
    pub async fn lock(&self, key: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let count = u64::try_from(self.stripes.len()).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(key) % count).unwrap_or(0);
        tokio::time::timeout(PATIENCE, self.stripes[at].lock()).await.ok()
    }
}
