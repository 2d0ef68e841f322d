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

/// How long to wait for another claim to end: a little longer than a claim lasts.
const WAIT_WITHIN: Duration = Duration::from_secs(35);
/// How often to check whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a mail was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    Now,
    /// The sender sent it first.
    BySender,
}

/// Why a mail was not sent by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResendError {
    /// Another claim holds it, or it was deleted meanwhile.
    #[error("it is being sent at this moment")]
    Busy,
    /// The mail server did not take it.
    #[error(transparent)]
    Refused(#[from] MailError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends the mail of this record now, whatever its state, and records the outcome. `pauses` are those of the sender,
/// which goes on with a mail that waits.
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
        // The claim expires by itself; only another manual resend could wait for it.
        return Ok(Resent::BySender);
    }
    attempt(store, transport, pauses, &claimed).await?;
    Ok(Resent::Now)
}
