//! Mails that were sent, and the embedded mailbox.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Timestamp, ids::EventId};

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mail {
    /// Whom to.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// When made.
    pub at: Timestamp,
}

/// Keeps mails.
#[async_trait]
pub trait MailboxStore: Send + Sync {
    /// Puts a mail into the mailbox, once for each event and address; returns whether it
    /// was not there yet.
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError>;

    /// The newest mails, newest first.
    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError>;
}
