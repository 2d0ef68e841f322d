//! Sending mail.
//!
//! [`SmtpClient`] sends by SMTP, for whoever works off the delivery log; the embedded stand-in
//! is [`MailboxMailer`], which keeps mails instead of sending them.
//!
//! **Invariant:** nothing that somebody typed begins a header, and no secret is in an error
//! or a log line.

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
    /// This mail will never be taken.
    #[error("the mail is refused: {0}")]
    Permanent(String),
}

impl MailError {
    /// What went wrong, in the words of who said it.
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

/// Takes mails on.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Keeps `mail`, which tells of `event`, or stores durably that it is to be sent: once for
    /// each event and address. It waits for no mail server.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;
}

/// Sends mails at once.
#[async_trait]
pub trait MailTransport: Send + Sync {
    /// Sends `mail`, which tells of `event`, and ends with the server's word about it. The same
    /// mail about the same event has the same `Message-ID` each time.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;

    /// Whether the server was there when it was last looked for.
    fn is_up(&self) -> bool;

    /// Whether there is no use in sending for the moment.
    fn is_pausing(&self) -> bool;
}
