//! Sending by SMTP, with a log of what became of each mail.
//!
//! A mail is recorded before it is sent and its outcome after. A refusal for good is
//! recorded and needs nobody else; for anything else the caller tries again later. Killed
//! between sending and recording, the mail goes out once more with the same `Message-ID`.
//!
//! **Invariant:** a mail that is recorded as sent is not sent again but by hand.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Mail, MailError, Mailer, compose::Sender, pool::Pool, retention::Retention};
use crate::{
    config::MailServer,
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore, StoreError,
        mailbox::{MailOutcome, MailRecord, MailState},
    },
};

/// How often a mail is tried: at once and after each of the four pauses of whoever calls.
const TRIES: u32 = 5;
/// The pauses before an outcome that could not be recorded is recorded again: a mail that
/// was sent and not recorded is sent twice.
const RECORD_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// Why no mails can be sent at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The sender is no address.
    #[error("email.from: {0}")]
    Sender(String),
    /// The authorities cannot be read.
    #[error("smtp.ca_file: {} cannot be used: {}", .0.display(), .1)]
    CaFile(PathBuf, String),
    /// Encryption cannot be set up.
    #[error("connections to the mail server cannot be encrypted: {0}")]
    Tls(String),
}

/// Sends by SMTP.
pub struct SmtpMailer {
    pool: Pool,
    sender: Sender,
    store: Arc<dyn MailboxStore>,
    retention: Retention,
}

impl SmtpMailer {
    /// A mailer that sends as `from` by `server` and keeps its log in `store`. Who wants no
    /// more announcements turns to `unsubscribe`, or to the sender.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn try_new(
        server: &MailServer,
        from: &str,
        unsubscribe: Option<&str>,
        store: Arc<dyn MailboxStore>,
    ) -> Result<Self, SetupError> {
        let sender = Sender::new(from, unsubscribe).map_err(SetupError::Sender)?;
        let pool = Pool::new(server, sender.domain())?;
        Ok(Self { pool, sender, store, retention: Retention::default() })
    }

    /// Sends a recorded mail now, whatever became of it before, and records the outcome.
    ///
    /// # Errors
    /// [`MailError`]; it is recorded too.
    pub async fn resend(&self, record: &MailRecord) -> Result<(), MailError> {
        let tried = self.attempt(record).await;
        let outcome = match &tried {
            Ok(()) => MailOutcome::Sent,
            Err(error) => MailOutcome::Failed(error.reason().to_owned()),
        };
        self.settle(record.id, &outcome).await?;
        tried
    }

    async fn attempt(&self, record: &MailRecord) -> Result<(), MailError> {
        let mail = self.sender.compose(record.event, &record.mail).map_err(MailError::Permanent)?;
        self.pool.send(&mail).await
    }

    async fn settle(&self, id: u64, outcome: &MailOutcome) -> Result<(), StoreError> {
        for pause in RECORD_AGAIN {
            if self.store.settle(id, outcome, Timestamp::now()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        self.store.settle(id, outcome, Timestamp::now()).await
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        self.retention.tidy(&*self.store).await;
        let record = self.store.open(event, mail).await?;
        match record.state {
            MailState::Sent | MailState::Kept => return Ok(()),
            MailState::Waiting | MailState::Failed => {}
        }
        match self.attempt(&record).await {
            Ok(()) => Ok(self.settle(record.id, &MailOutcome::Sent).await?),
            Err(MailError::Permanent(reason)) => {
                tracing::warn!(mail.id = record.id, event.id = %event, %reason, "a mail is refused");
                Ok(self.settle(record.id, &MailOutcome::Failed(reason)).await?)
            }
            Err(MailError::Temporary(reason)) => {
                let last = record.attempts.saturating_add(1) >= TRIES;
                let outcome = if last { MailOutcome::Failed } else { MailOutcome::Waiting }(reason.clone());
                self.settle(record.id, &outcome).await?;
                Err(MailError::Temporary(reason))
            }
        }
    }
}
