//! Mails and their outcomes: the delivery log, and the embedded mailbox.
//!
//! A mail is claimed for a while before it is sent, so that two nodes do not send it at the same time; a worker that
//! has lost its claim writes nothing. Each mail has a number, higher than those before it, by which operators refer
//! to it.
//!
//! **Invariant:** there is one record for each event and address, and the state `sent` never changes again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use growing_backoff::Backoff;
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Document, Find, Index, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::{EventId, UserId},
        leaving::deleted_email,
    },
};

/// How often a new number is tried when one is taken.
const TRIES: usize = 12;
/// The pauses in between.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(2), Duration::MAX);
/// How many mails are changed at once.
const AT_ONCE: u32 = 100;
/// The text of a mail that named a user who has deleted their account.
const NAMED_NO_MORE: &str = "This mail named a user who has deleted their account.";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The recipient's address.
    pub to: String,
    pub subject: String,
    /// Plain text.
    pub text: String,
    pub html: String,
    /// When made.
    pub at: Timestamp,
    /// Whether it is an announcement, from which the recipient may unsubscribe.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcement: bool,
    /// Whether it has a link that must not be stored longer than needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confidential: bool,
    /// Where a click unsubscribes the recipient from announcements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<String>,
    /// The recipient, if it is a known user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Another user whom it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<UserId>,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailState {
    /// In the embedded mailbox; it is never sent.
    Kept,
    /// Waiting to be sent, for the first time or again.
    Waiting,
    /// The mail server accepted it.
    Sent,
    /// It was refused, or its attempts are used up.
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

/// A mail with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailRecord {
    /// Its number in the log.
    pub id: u64,
    /// The event that it is about.
    pub event: EventId,
    pub mail: Mail,
    /// Its outcome.
    pub state: MailState,
    /// How many attempts were made to send it.
    pub attempts: u32,
    /// The last error.
    pub reason: Option<String>,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// When it is tried next, if it is waiting.
    pub next_try_at: Option<Timestamp>,
}

/// A claimed mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail at the time of the claim.
    pub record: MailRecord,
    /// When the claim expires; identifies the claim.
    pub lease: Timestamp,
}

/// The outcome of one attempt to send a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server accepted it.
    Sent,
    /// It will be tried again.
    Waiting {
        /// Why it was not accepted.
        reason: String,
        next_try_at: Timestamp,
    },
    /// It is not retried automatically, for this reason.
    Failed(String),
}

/// A stored mail, under its event and address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredMail {
    record: MailRecord,
    /// When its claim expires.
    lease: Option<Timestamp>,
    #[serde(skip)]
    version: u64,
}

/// The unique keys of a mail besides its event and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailKey {
    Number,
}

const NUMBER: Index<StoredMail> = Index::unique("number", MailKey::Number, |of| key(of.record.id));
const STATE: Index<StoredMail> =
    Index::new("state", |of| key((of.record.state.as_str(), of.record.changed_at, of.record.id)));
/// For waiting mails: when each can be claimed.
const FREE: Index<StoredMail> =
    Index::new("free", |of| key((of.record.mail.announcement, of.free_at()?, of.record.id)));

const USER: Index<StoredMail> = Index::new("user", |of| of.record.mail.user.and_then(key));
const ABOUT: Index<StoredMail> = Index::new("about", |of| of.record.mail.about.and_then(key));

impl StoredMail {
    /// What is left of a mail to a user who has deleted their account, under an id without their address.
    fn without_recipient(mut self, user: UserId) -> Self {
        let mail = &mut self.record.mail;
        (mail.to, mail.user, mail.unsubscribe) = (deleted_email(user), None, None);
        mail.text.clear();
        mail.html.clear();
        if self.record.state == MailState::Waiting {
            self.record.state = MailState::Failed;
        }
        self.record.reason = None;
        self.record.next_try_at = None;
        Self { lease: None, version: 0, ..self }
    }

    fn free_at(&self) -> Option<Timestamp> {
        self.record.next_try_at.map(|due| self.lease.map_or(due, |lease| lease.max(due)))
    }

    fn id_of(event: EventId, to: &str) -> String {
        format!("{event}:{to}")
    }
}

impl Document for StoredMail {
    type Unique = MailKey;

    const COLLECTION: &'static str = "mails";
    const SERVICE: Service = Service::Notification;
    const INDEXES: &'static [Index<Self>] = &[NUMBER, STATE, FREE, USER, ABOUT];

    stored_as!(self, String = Self::id_of(self.record.event, &self.record.mail.to), self.version);
}

/// No number changes once it is stored.
impl From<SaveError<MailKey>> for StoreError {
    fn from(error: SaveError<MailKey>) -> Self {
        match error {
            SaveError::Duplicate(MailKey::Number) => Self::Conflict,
            SaveError::Store(error) => error,
        }
    }
}

/// Keeps mails.
#[derive(Clone)]
pub struct MailboxStore {
    mails: Collection<StoredMail>,
    /// The highest number assigned by this process, so that mails added concurrently have different numbers.
    last: Arc<AtomicU64>,
}

impl MailboxStore {
    /// The mails in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { mails: Collection::new(backend), last: Arc::default() }
    }

    /// Puts a mail into the mailbox as [`MailState::Kept`], once for each event and address; returns whether it is
    /// new.
    pub async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        self.add(event, mail, MailState::Kept).await
    }

    /// Puts a mail into the log as [`MailState::Waiting`], due at once, unless there is one for this event and
    /// address in any state; returns whether it is new.
    pub async fn open(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        self.add(event, mail, MailState::Waiting).await
    }

    async fn add(&self, event: EventId, mail: &Mail, state: MailState) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let mut record = MailRecord {
            id: 0,
            event,
            mail: mail.clone(),
            state,
            attempts: 0,
            reason: None,
            changed_at: now,
            next_try_at: (state == MailState::Waiting).then_some(now),
        };
        for pause in PAUSES.pauses().take(TRIES) {
            // Another process may have taken the number; the next attempt sees it.
            self.last.fetch_max(self.newest().await?.map_or(0, |newest| newest.record.id), Ordering::Relaxed);
            record.id = self.last.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let made = StoredMail { record, lease: None, version: 0 };
            match self.mails.save(&made, &[]).await {
                Ok(_) => return Ok(true),
                Err(SaveError::Store(StoreError::Conflict)) => return Ok(false),
                Err(SaveError::Duplicate(MailKey::Number)) => tokio::time::sleep(pause).await,
                Err(SaveError::Store(error)) => return Err(error),
            }
            record = made.record;
        }
        Err(StoreError::Busy)
    }

    async fn newest(&self) -> Result<Option<StoredMail>, StoreError> {
        self.mails.first(NUMBER.all().reversed()).await
    }

    /// Claims up to `limit` waiting mails that are due at `now`, the longest due first, until `lease`. Announcements
    /// come after all others, and at most `announcements` of them are claimed.
    pub async fn claim(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
        announcements: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let of = async |announcement: bool, limit: u32| {
            let find = FREE.of(announcement).up_to((announcement, now)).limit(limit);
            self.mails
                .claim(find, |mail| {
                    let is_free = mail.free_at().is_some_and(|free| free <= now);
                    mail.lease = Some(lease);
                    is_free
                })
                .await
        };
        let mut claimed = of(false, limit).await?;
        let left = limit.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX)).min(announcements);
        if left > 0 {
            claimed.extend(of(true, left).await?);
        }
        Ok(claimed.into_iter().map(|mail| ClaimedMail { record: mail.record, lease }).collect())
    }

    /// Claims the mail with this number in any state until `lease`; `None` when there is no such mail, or another
    /// claim holds at `now`.
    pub async fn claim_one(
        &self,
        id: u64,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<ClaimedMail>, StoreError> {
        let Some(found) = self.numbered(id).await? else { return Ok(None) };
        let claimed = self.mails.change(found.id(), |mail| {
            if mail.lease.is_some_and(|lease| lease > now) {
                return None;
            }
            mail.lease = Some(lease);
            Some(())
        });
        Ok(claimed.await?.map(|(mail, ())| ClaimedMail { record: mail.record, lease }))
    }

    /// Writes the outcome of an attempt at `now`, counts the attempt, and ends the claim; for a mail that is already
    /// sent, any other outcome only ends the claim. Returns whether the claim still held; nothing is written if not.
    pub async fn settle(
        &self,
        id: u64,
        lease: Timestamp,
        outcome: &MailOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(found) = self.numbered(id).await? else { return Ok(false) };
        let settled = self.mails.change(found.id(), |mail| {
            if mail.lease != Some(lease) {
                return None;
            }
            mail.lease = None;
            if mail.record.state != MailState::Sent || *outcome == MailOutcome::Sent {
                mail.record.tried(outcome, now);
            }
            Some(())
        });
        Ok(settled.await?.is_some())
    }

    /// How many wait.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        self.mails.count(STATE.of(MailState::Waiting.as_str())).await
    }

    /// The newest mails, newest first.
    pub async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        Ok(self.records(None, limit).await?.into_iter().map(|record| record.mail).collect())
    }

    /// The newest records first; with `state`, those in that state, the last changed first.
    pub async fn records(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError> {
        let find = state.map_or_else(|| NUMBER.all(), |state| STATE.of(state.as_str()));
        let found = self.mails.find(find.reversed().limit(limit)).await?;
        Ok(found.into_iter().map(|mail| mail.record).collect())
    }

    /// The record with this number.
    pub async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError> {
        Ok(self.numbered(id).await?.map(|mail| mail.record))
    }

    /// The mails to a user, in no order.
    pub async fn to_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Vec<Mail>, StoreError> {
        let found = self.mails.find(USER.of(user).skip(skip).limit(limit)).await?;
        Ok(found.into_iter().map(|mail| mail.record.mail).collect())
    }

    /// Removes a user from the mails to them and to others who were told of them. Mails to them that were not sent are
    /// not sent any more.
    pub async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        loop {
            let found = self.mails.find(USER.of(user).limit(AT_ONCE)).await?;
            if found.is_empty() {
                break;
            }
            for mail in found {
                match self.mails.delete_read(&mail, &[]).await {
                    Err(StoreError::Conflict) => continue,
                    deleted => deleted?,
                }
                // The number stays, so that it is not used again.
                match self.mails.save(&mail.without_recipient(user), &[]).await {
                    Ok(_) | Err(SaveError::Duplicate(_) | SaveError::Store(StoreError::Conflict)) => {}
                    Err(SaveError::Store(error)) => return Err(error),
                }
            }
        }
        loop {
            let found = self.mails.find(ABOUT.of(user).limit(AT_ONCE)).await?;
            if found.is_empty() {
                return Ok(());
            }
            for mail in found {
                let forgotten = self.mails.change(mail.id(), |StoredMail { record, .. }| {
                    record.mail.about = None;
                    NAMED_NO_MORE.clone_into(&mut record.mail.text);
                    record.mail.html = format!("<p>{NAMED_NO_MORE}</p>");
                    Some(())
                });
                forgotten.await?;
            }
        }
    }

    async fn numbered(&self, id: u64) -> Result<Option<StoredMail>, StoreError> {
        self.mails.first(NUMBER.of(id)).await
    }

    /// Deletes up to `limit` mails that were sent or kept before `done_before`, or failed before `failed_before`;
    /// returns how many. The newest mail stays, so that its number is not used again.
    pub async fn forget(
        &self,
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let Some(newest) = self.newest().await? else { return Ok(0) };
        let newest = newest.record;
        let mut forgotten = 0;
        for (state, before) in
            [(MailState::Kept, done_before), (MailState::Sent, done_before), (MailState::Failed, failed_before)]
        {
            // The newest mail is rarely that old; those changed after it are deleted once there is a newer one.
            let before = if newest.state == state { before.min(newest.changed_at) } else { before };
            let left = limit.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
            if left > 0 {
                let old: Find<StoredMail> = STATE.of(state.as_str()).below((state.as_str(), before));
                forgotten += self.mails.delete_found(old.limit(left)).await?;
            }
        }
        Ok(forgotten)
    }
}

impl MailRecord {
    /// Applies the outcome of an attempt.
    fn tried(&mut self, outcome: &MailOutcome, now: Timestamp) {
        (self.state, self.reason, self.next_try_at) = match outcome {
            MailOutcome::Sent => (MailState::Sent, None, None),
            MailOutcome::Waiting { reason, next_try_at } => {
                (MailState::Waiting, Some(reason.clone()), Some(*next_try_at))
            }
            MailOutcome::Failed(reason) => (MailState::Failed, Some(reason.clone()), None),
        };
        if *outcome == MailOutcome::Sent && self.mail.confidential {
            self.mail.text.clear();
            self.mail.html.clear();
        }
        self.attempts = self.attempts.saturating_add(1);
        self.changed_at = now;
    }
}
