//! Sending a mail by hand, also beside a running sender.
//!
//! **Invariant:** it is claimed first, so that it is not sent twice at once.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::attempt::{attempt, lease};
use crate::{
    integrations::mail::{MailError, MailTransport},
    store::{
        MailboxStore, StoreError,
        mailbox::{MailRecord, MailState},
    },
};

/// How long to wait for somebody else's claim, which is a little longer than it may hold.
const WAIT_WITHIN: Duration = Duration::from_secs(35);
/// How often to look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a mail was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// Now.
    Now,
    /// The sender was about to send it, and did.
    BySender,
}

/// Why a mail was not sent by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResendError {
    /// Somebody else has it, or it was forgotten meanwhile.
    #[error("it is being sent at this moment")]
    Busy,
    /// The mail server did not take it.
    #[error(transparent)]
    Refused(#[from] MailError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends a mail of this record now, whatever became of it before, and records the outcome. `pauses`
/// are those of the sender, which goes on with a mail that waits.
///
/// # Errors
/// [`ResendError`].
pub async fn resend(
    store: &MailboxStore,
    transport: &dyn MailTransport,
    pauses: &[Duration],
    record: &MailRecord,
) -> Result<Resent, ResendError> {
    let deadline = Instant::now() + WAIT_WITHIN;
    let claimed = loop {
        let now = Timestamp::now();
        if let Some(claimed) = store.claim_one(record.id, now, lease(now)).await? {
            break claimed;
        }
        if Instant::now() >= deadline {
            return Err(ResendError::Busy);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    if claimed.record.state == MailState::Sent && record.state != MailState::Sent {
        // The claim ends by itself: nobody but another hand wants this mail.
        return Ok(Resent::BySender);
    }
    attempt(store, transport, pauses, &claimed).await?;
    Ok(Resent::Now)
}
