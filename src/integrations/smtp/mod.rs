//! Sending mail.
//!
//! The embedded stand-in is [`MailboxMailer`], which keeps mails instead of sending them.
//!
//! **Invariant:** an address or subject that reaches a mailer has no control characters.

mod mailbox;

use async_trait::async_trait;

use crate::domain::ids::EventId;
pub use crate::store::mailbox::Mail;
pub use mailbox::MailboxMailer;

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

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends `mail`, which tells of `event`; where the way allows it, once for each event
    /// and address.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError>;
}
