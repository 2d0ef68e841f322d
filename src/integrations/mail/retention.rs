//! How long mails are remembered.
//!
//! **Invariant:** a mail that waits is not forgotten, and one turn forgets a bounded number.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::{domain::Timestamp, store::MailboxStore};

/// How long a mail that was sent or kept is remembered. Much longer than its event may
/// come a second time.
const REMEMBER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a mail that has failed is remembered: somebody may yet send it again.
const REMEMBER_FAILED: SignedDuration = SignedDuration::from_hours(180 * 24);
/// How often to look.
const EVERY: Duration = Duration::from_hours(1);
/// How many to forget at once.
const AT_ONCE: u32 = 1_000;

/// Forgets old mails now and then.
#[derive(Default)]
pub(crate) struct Retention {
    looked: Mutex<Option<Instant>>,
}

impl Retention {
    /// Forgets what is old, unless that was done within the hour.
    pub(crate) async fn tidy(&self, store: &MailboxStore) {
        if !self.is_due() {
            return;
        }
        let now = Timestamp::now();
        let ago = |age| now.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        match store.forget(ago(REMEMBER), ago(REMEMBER_FAILED), AT_ONCE).await {
            // There may be more: the next call sees to it.
            Ok(count) if count >= u64::from(AT_ONCE) => *self.looked.lock() = None,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old mails could not be forgotten"),
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
