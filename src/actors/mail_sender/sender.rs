//! Sends the mails that are due.
//!
//! It claims what it sends. If it dies, or the store does not accept an outcome, the claim expires and the mail is
//! sent again with the same `Message-ID`. Mails are started in the order in which they became due. Announcements are
//! started after all others and leave one slot free for them.
//!
//! **Invariant:** at most [`super::AT_ONCE`] mails are in progress, and none is started while the server is known to
//! be unavailable, so that no mail loses an attempt to that.

use std::time::Duration;

use jiff::Timestamp;
use metrics::gauge;

use super::{
    SenderState,
    attempt::{attempt, lease},
};
use crate::{
    actors::send_loop::DueTimer,
    store::{StoreError, mailbox::ClaimedMail},
};

/// How often to count.
const COUNT_EVERY: Duration = Duration::from_secs(2);

impl SenderState {
    pub(super) async fn run(&self) {
        let mut counted = DueTimer::default();
        let housekeeping = async || self.housekeeping(&mut counted).await;
        let claim = async |free| self.claim(free).await;
        let send = async |claimed: ClaimedMail| {
            // The reason was stored and logged.
            let _tried = attempt(&self.store, &*self.transport, &self.pauses, &claimed).await;
        };
        self.sending.run(housekeeping, claim, send).await;
    }

    async fn claim(&self, limit: u32) -> Result<Vec<ClaimedMail>, StoreError> {
        if self.transport.is_pausing() {
            return Ok(vec![]);
        }
        let now = Timestamp::now();
        // One slot is reserved for other mails than announcements.
        self.store.claim(now, lease(now), limit, limit.saturating_sub(1)).await
    }

    /// Updates the metrics and deletes old records at an interval.
    async fn housekeeping(&self, counted: &mut DueTimer) {
        self.retention.tidy(&self.store).await;
        if counted.is_due(COUNT_EVERY) {
            match self.store.waiting().await {
                Ok(count) => gauge!("mails_waiting").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX))),
                Err(error) => tracing::debug!(%error, "could not count mails"),
            }
        }
    }
}
