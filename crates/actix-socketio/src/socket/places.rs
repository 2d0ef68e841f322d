//! How many sockets each user has.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Counts sockets by user. Nothing is kept of a user without one.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<String, usize>>);

/// One of a user's places, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    user: String,
}

impl Places {
    pub(super) fn take(self: &Arc<Self>, user: String, max: usize) -> Option<Place> {
        let mut counts = self.0.lock();
        let count = counts.get(&user).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(user.clone(), count + 1);
        Some(Place { places: Arc::clone(self), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock();
        if let Some(count) = counts.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}
