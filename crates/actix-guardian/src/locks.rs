//! A bounded set of locks for an unbounded set of keys.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

/// How long to wait for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Locks by key. Two keys may share a lock; then they may wait for each other without need, which is harmless.
pub struct KeyLocks {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl KeyLocks {
    /// A set of `stripes` locks.
    #[must_use]
    pub fn new(stripes: usize) -> Self {
        Self { stripes: (0..stripes.max(1)).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Locks the key; `None` when the lock is not available in time.
    pub async fn lock(&self, key: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let count = u64::try_from(self.stripes.len()).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(key) % count).unwrap_or(0);
        tokio::time::timeout(LOCK_TIMEOUT, self.stripes[at].lock()).await.ok()
    }
}
