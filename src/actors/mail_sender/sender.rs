//! Sends the mails that are due.
//!
//! It claims what it sends. If it dies, or the store does not take what came of a try, the
//! claim ends by itself and the mail is sent again, with the same `Message-ID`. Mails are begun
//! in the order in which they became due; one that is put off is overtaken. Announcements are begun
//! after all others, and leave one slot free for them.
//!
//! **Invariant:** at most [`super::AT_ONCE`] mails are under way, and while there is no use in
//! sending none is begun, so that no mail loses a try to that.

use std::time::Duration;

use jiff::Timestamp;
use metrics::gauge;

use super::{
    Shared,
    attempt::{attempt, lease},
};
use crate::{
    actors::send_loop::Every,
    store::{StoreError, mailbox::ClaimedMail},
};

/// How often to count.
const COUNT_EVERY: Duration = Duration::from_secs(2);

impl Shared {
    pub(super) async fn run(&self) {
        let mut counted = Every::default();
        let books = async || self.keep_books(&mut counted).await;
        let claim = async |free| self.claim(free).await;
        let send = async |claimed: ClaimedMail| {
            // Why it was not sent is written and logged.
            let _tried = attempt(&self.store, &*self.transport, &self.pauses, &claimed).await;
        };
        self.sending.run(books, claim, send).await;
    }

    async fn claim(&self, limit: u32) -> Result<Vec<ClaimedMail>, StoreError> {
        if self.transport.is_pausing() {
            return Ok(vec![]);
        }
        let now = Timestamp::now();
        // One slot is never an announcement's, however long each takes.
        self.store.claim(now, lease(now), limit, limit.saturating_sub(1)).await
    }

    /// Counts, and forgets what is old, from time to time.
    async fn keep_books(&self, counted: &mut Every) {
        self.retention.tidy(&self.store).await;
        if counted.is_due(COUNT_EVERY) {
            match self.store.waiting().await {
                Ok(count) => gauge!("mails_waiting").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX))),
                Err(error) => tracing::debug!(%error, "mails could not be counted"),
            }
        }
    }
}
