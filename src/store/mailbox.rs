//! Mails and what became of them: the delivery log, and the embedded mailbox.
//!
//! A mail is claimed for a while before it is sent, so that two nodes do not send it at once;
//! who lost its claim meanwhile writes nothing.
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
    /// When it is tried next, while it waits.
    pub next_try_at: Option<Timestamp>,
}

/// A mail to be sent by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail, as it was when it was claimed.
    pub record: MailRecord,
    /// Until when nobody else has it; names the claim.
    pub lease: Timestamp,
}

/// What came of one try to send a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server has taken it.
    Sent,
    /// It is to be tried again.
    Waiting {
        /// Why it was not taken.
        reason: String,
        /// When.
        next_try_at: Timestamp,
    },
    /// It is not tried again by itself, because of this.
    Failed(String),
}

/// Keeps mails.
#[async_trait]
pub trait MailboxStore: Send + Sync {
    /// Puts a mail into the mailbox as [`MailState::Kept`], once for each event and address;
    /// returns whether it was not there yet.
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError>;

    /// Puts a mail into the log as [`MailState::Waiting`], due at once, unless there is one for
    /// this event and address in whatever state; returns whether it was not there yet.
    async fn open(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError>;

    /// Claims up to `limit` waiting mails that are due at `now`, longest due first, until `lease`.
    /// Announcements come after all others, and at most `announcements` of them are claimed.
    async fn claim(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
        announcements: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError>;

    /// Claims the mail with this number, whatever became of it, until `lease`; `None` when
    /// there is none, or another claim holds at `now`.
    async fn claim_one(&self, id: u64, now: Timestamp, lease: Timestamp) -> Result<Option<ClaimedMail>, StoreError>;

    /// Writes what came of a try, which is counted, at `now`, and ends the claim; of a mail that
    /// says sent, anything else than that only ends the claim. Returns whether the claim still
    /// held; nothing is written if not.
    async fn settle(
        &self,
        id: u64,
        lease: Timestamp,
        outcome: &MailOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// How many wait.
    async fn waiting(&self) -> Result<u64, StoreError>;

    /// The newest mails, newest first.
    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError>;

    /// The newest records, newest first; with `state` those of it, last changed first.
    async fn records(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError>;

    /// The record with this number.
    async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError>;

    /// Forgets up to `limit` mails that were sent or kept before `done_before`, or have failed
    /// before `failed_before`; returns how many. The newest of all stays, so that its number is
    /// not given out again.
    async fn forget(&self, done_before: Timestamp, failed_before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
