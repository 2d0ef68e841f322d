//! The number of sockets per user.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Counts sockets by user. Users without sockets take no memory.
#[derive(Default)]
pub(super) struct SocketCounts(Mutex<HashMap<String, usize>>);

/// A counted socket; the count is decreased when this is dropped.
pub(super) struct CountedSocket {
    socket_counts: Arc<SocketCounts>,
    user: String,
}

impl SocketCounts {
    pub(super) fn take(self: &Arc<Self>, user: String, max: usize) -> Option<CountedSocket> {
        let mut counts = self.0.lock();
        let count = counts.get(&user).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(user.clone(), count + 1);
        Some(CountedSocket { socket_counts: Arc::clone(self), user })
    }
}

impl Drop for CountedSocket {
    fn drop(&mut self) {
        let mut counts = self.socket_counts.0.lock();
        if let Some(count) = counts.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}
