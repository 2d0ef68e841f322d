//! One try to send a mail that was claimed, and what it means.
//!
//! **Invariant:** a try ends, and what came of it is written, well before its claim is over.

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
/// How long a try may take, whatever the transport does.
const TRY_WITHIN: Duration = Duration::from_secs(22);
/// The pauses before an outcome that could not be written is written again: a mail that was
/// sent and not recorded is sent twice.
const WRITE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// Until when what is claimed at `now` is claimed.
pub(super) fn lease(now: Timestamp) -> Timestamp {
    now.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

/// Sends a mail and writes what came of it.
///
/// # Errors
/// Why it was not sent; that is written as well.
pub(super) async fn attempt(
    store: &MailboxStore,
    transport: &dyn MailTransport,
    pauses: &[Duration],
    ClaimedMail { record, lease }: &ClaimedMail,
) -> Result<(), MailError> {
    // A mail that makes its sending panic is a mail like others, and harms none of them.
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
            tracing::info!(mail.id = record.id, %reason, %next_try_at, "a mail is put off");
        }
        MailOutcome::Failed(reason) => {
            tracing::warn!(mail.id = record.id, event.id = %record.event, %reason, "a mail is not delivered");
        }
    }
    match write(store, record.id, *lease, &outcome).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(mail.id = record.id, "a try took longer than its claim, and is not recorded"),
        Err(error) => tracing::warn!(mail.id = record.id, %error, "a try could not be recorded"),
    }
    tried
}

/// What a try means for the mail. One that has failed before and is tried by hand does not
/// wait again.
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
