//! Sending mail.
//!
//! [`SmtpClient`] sends by SMTP, for the sender of the delivery log; the embedded replacement is [`MailboxMailer`],
//! which stores mails instead of sending them.
//!
//! **Invariant:** user input never starts a header, and no error or log line contains a secret.

mod compose;
mod mailbox;
mod retention;
mod smtp;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

pub use crate::store::mailbox::Mail;
use crate::{domain::ids::EventId, store::StoreError};
pub use mailbox::MailboxMailer;
pub(crate) use retention::Retention;
pub use smtp::{SetupError, SmtpClient};

/// Why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Trying again later may help.
    #[error("the mail was not sent: {0}")]
    Temporary(String),
    /// This mail will never be accepted.
    #[error("the mail is refused: {0}")]
    Permanent(String),
}

impl MailError {
    /// The error message.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Temporary(reason) | Self::Permanent(reason) => reason,
        }
    }
}

impl From<StoreError> for MailError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Permanent(error.to_string()),
            StoreError::Busy | StoreError::Conflict | StoreError::Deadline | StoreError::Unavailable(_) => {
                Self::Temporary(error.to_string())
            }
        }
    }
}

/// Accepts mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Stores `mail` about `event`, or queues it durably for sending, once for each event and address. It never waits
    /// for a mail server.
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;
}

/// Sends mails at once.
#[async_trait]
pub trait MailTransport: Send + Sync {
    /// Sends `mail` about `event`, and returns the server's answer. The same mail about the same event has the same
    /// `Message-ID` each time.
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;

    /// Whether the server was reachable at the last check.
    fn is_up(&self) -> bool;

    /// Whether sending is pointless for the moment.
    fn is_pausing(&self) -> bool;
}
