//! Sending mail.
//!
//! [`SmtpMailer`] sends by SMTP and keeps a delivery log; the embedded stand-in is
//! [`MailboxMailer`], which keeps mails instead of sending them.
//!
//! **Invariant:** nothing that somebody typed begins a header, and no secret is in an error
//! or a log line.

mod compose;
mod mailbox;
mod mailer;
mod pool;
mod retention;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;

use async_trait::async_trait;

pub use crate::store::mailbox::Mail;
use crate::{domain::ids::EventId, store::StoreError};
pub use mailbox::MailboxMailer;
pub use mailer::{SetupError, SmtpMailer};

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
            StoreError::Corrupt(_) | StoreError::Duplicate(_) => Self::Permanent(error.to_string()),
            StoreError::Busy | StoreError::Conflict | StoreError::Deadline | StoreError::Unavailable(_) => {
                Self::Temporary(error.to_string())
            }
        }
    }
}

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends `mail`, which tells of `event`; where the way allows it, once for each event
    /// and address. `Ok` says that nobody has to try again: it was sent, or its refusal is
    /// recorded.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;
}
