//! Mails and what became of them: the delivery log, and the embedded mailbox.
//!
//! **Invariant:** there is one record for each event and address, and one that says `sent`
//! never says anything else again.

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
    /// Whether it announces something, so that its receiver may want no more of its kind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcement: bool,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// In the embedded mailbox; it was never to be sent.
    Kept,
    /// To be sent, for the first time or again.
    Waiting,
    /// The mail server has taken it.
    Sent,
    /// It was refused, or tried too often.
    Failed,
}

impl MailState {
    /// The state in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// A mail with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRecord {
    /// Its number in the log.
    pub id: u64,
    /// The event that it tells of.
    pub event: EventId,
    /// The mail.
    pub mail: Mail,
    /// What became of it.
    pub state: MailState,
    /// How often it was tried to be sent.
    pub attempts: u32,
    /// What went wrong last.
    pub reason: Option<String>,
    /// When its state was written.
    pub changed_at: Timestamp,
}

/// What came of one try to send a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server has taken it.
    Sent,
    /// Not now, because of this.
    Waiting(String),
    /// It is not tried again by itself, because of this.
    Failed(String),
}

/// Keeps mails.
#[async_trait]
pub trait MailboxStore: Send + Sync {
    /// Puts a mail into the mailbox as [`MailState::Kept`], once for each event and address;
    /// returns whether it was not there yet.
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError>;

    /// The record of a mail that is to be sent, made as [`MailState::Waiting`] when there is
    /// none for this event and address.
    async fn open(&self, event: EventId, mail: &Mail) -> Result<MailRecord, StoreError>;

    /// Writes what came of a try, which is counted, at `now`. Once sent, a mail stays so.
    async fn settle(&self, id: u64, outcome: &MailOutcome, now: Timestamp) -> Result<(), StoreError>;

    /// The newest mails, newest first.
    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError>;

    /// The newest records, newest first; with `state` those of it, last changed first.
    async fn records(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError>;

    /// The record with this number.
    async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError>;

    /// Forgets up to `limit` mails that were sent or kept before `before`; returns how many.
    /// The newest of all stays, so that its number is not given out again.
    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
