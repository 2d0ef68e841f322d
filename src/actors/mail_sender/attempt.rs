//! One attempt to send a claimed mail, and its outcome.
//!
//! **Invariant:** an attempt ends, and its outcome is written, well before its claim expires.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use jiff::Timestamp;
use metrics::counter;

use crate::{
    integrations::mail::{MailError, MailTransport},
    store::{
        MailboxStore, StoreError,
        mailbox::{ClaimedMail, MailOutcome, MailRecord, MailState},
    },
};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(30);
/// The deadline of an attempt, whatever the transport does.
const TRY_WITHIN: Duration = Duration::from_secs(22);
/// The pauses between attempts to write an outcome: a mail that was sent but not recorded would be sent twice.
const WRITE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// When a claim made at `now` expires.
pub(super) fn lease(now: Timestamp) -> Timestamp {
    now.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

/// Sends a mail and writes the outcome.
///
/// # Errors
/// Why it was not sent; the reason is stored as well.
pub(super) async fn attempt(
    store: &MailboxStore,
    transport: &dyn MailTransport,
    pauses: &[Duration],
    ClaimedMail { record, lease }: &ClaimedMail,
) -> Result<(), MailError> {
    // A mail whose sending panics must not affect other mails.
    let sending = AssertUnwindSafe(transport.send(record.event, &record.mail)).catch_unwind();
    let tried = match tokio::time::timeout(TRY_WITHIN, sending).await {
        Ok(Ok(tried)) => tried,
        Ok(Err(_panic)) => Err(MailError::Temporary("the sending of the mail panicked".to_owned())),
        Err(_) => Err(MailError::Temporary("the mail was not sent in time".to_owned())),
    };
    let outcome = outcome(record, &tried, pauses, Timestamp::now());
    let word = match &outcome {
        MailOutcome::Sent => "sent",
        MailOutcome::Waiting { .. } => "put_off",
        MailOutcome::Failed(_) => "failed",
    };
    counter!("mail_attempts_total", "outcome" => word).increment(1);
    match &outcome {
        MailOutcome::Sent => {}
        MailOutcome::Waiting { reason, next_try_at } => {
            tracing::info!(mail.id = record.id, %reason, %next_try_at, "a mail is postponed");
        }
        MailOutcome::Failed(reason) => {
            tracing::warn!(mail.id = record.id, event.id = %record.event, %reason, "a mail was not delivered");
        }
    }
    match write(store, record.id, *lease, &outcome).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(mail.id = record.id, "an attempt to send a mail outlasted its claim and was not recorded");
        }
        Err(error) => tracing::warn!(mail.id = record.id, %error, "could not record an attempt to send a mail"),
    }
    tried
}

/// What an attempt means for the mail. A failed mail that is resent by hand does not wait again.
fn outcome(record: &MailRecord, tried: &Result<(), MailError>, pauses: &[Duration], now: Timestamp) -> MailOutcome {
    let error = match tried {
        Ok(()) => return MailOutcome::Sent,
        Err(error) => error,
    };
    let waits = record.state == MailState::Waiting && matches!(error, MailError::Temporary(_));
    let tries = usize::try_from(record.attempts).unwrap_or(usize::MAX);
    let reason = error.reason().to_owned();
    match pauses.get(tries).filter(|_| waits) {
        Some(pause) => {
            let next_try_at = now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
            MailOutcome::Waiting { reason, next_try_at }
        }
        None => MailOutcome::Failed(reason),
    }
}

async fn write(store: &MailboxStore, id: u64, lease: Timestamp, outcome: &MailOutcome) -> Result<bool, StoreError> {
    for pause in WRITE_AGAIN {
        if let Ok(written) = store.settle(id, lease, outcome, Timestamp::now()).await {
            return Ok(written);
        }
        tokio::time::sleep(pause).await;
    }
    store.settle(id, lease, outcome, Timestamp::now()).await
}
