//! Backoff between attempts of a write after a conflict.

use std::time::Duration;

/// Each pause is twice as long as the one before, up to the longest.
pub(in crate::store) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(in crate::store) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    pub(in crate::store) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.saturating_mul(2).min(self.longest);
    }
}

/// For a document that several writers change.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(1), Duration::from_millis(40))
    }
}
