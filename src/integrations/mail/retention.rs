//! How long mails are kept.
//!
//! **Invariant:** a waiting mail is never deleted, and one call deletes a bounded number.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::{domain::Timestamp, store::MailboxStore};

/// How long a sent or stored mail is kept: much longer than its event may be delivered again.
const REMEMBER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a failed mail is kept, because it may be resent by hand.
const REMEMBER_FAILED: SignedDuration = SignedDuration::from_hours(180 * 24);
/// How often to look.
const EVERY: Duration = Duration::from_hours(1);
/// How many to forget at once.
const AT_ONCE: u32 = 1_000;

/// Deletes old mails periodically.
#[derive(Default)]
pub(crate) struct Retention {
    looked: Mutex<Option<Instant>>,
}

impl Retention {
    /// Deletes old mails, unless that was done within the last hour.
    pub(crate) async fn tidy(&self, store: &MailboxStore) {
        if !self.is_due() {
            return;
        }
        let now = Timestamp::now();
        let ago = |age| now.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        match store.forget(ago(REMEMBER), ago(REMEMBER_FAILED), AT_ONCE).await {
            // There may be more: the next call deletes them.
            Ok(count) if count >= u64::from(AT_ONCE) => *self.looked.lock() = None,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "could not delete old mails"),
        }
    }

    fn is_due(&self) -> bool {
        let mut looked = self.looked.lock();
        let due = looked.is_none_or(|last| last.elapsed() >= EVERY);
        if due {
            *looked = Some(Instant::now());
        }
        due
    }
}
