//! Mails and what became of them, where every node finds them.

use async_trait::async_trait;
use bson::{Document, doc};
use mongodb::{Collection, options::ReturnDocument};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore, StoreError,
        mailbox::{ClaimedMail, Mail, MailOutcome, MailRecord, MailState},
    },
};

const STATES: [MailState; 4] = [MailState::Kept, MailState::Waiting, MailState::Sent, MailState::Failed];

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        self.keep(event, mail, MailState::Kept).await
    }

    async fn open(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        self.keep(event, mail, MailState::Waiting).await
    }

    async fn claim(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
        announcements: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let (mails, micros) = (self.collections.mails.clone(), now.as_microsecond());
        self.run(async move {
            // What was made before announcements were told apart has no such field.
            let mut numbers = due(&mails, doc! { "announcement": { "$ne": true } }, micros, limit).await?;
            let left = limit.saturating_sub(u32::try_from(numbers.len()).unwrap_or(u32::MAX)).min(announcements);
            if left > 0 {
                numbers.extend(due(&mails, doc! { "announcement": true }, micros, left).await?);
            }
            let mut claimed = vec![];
            for number in numbers {
                // Due still, too: another node may have sent it since.
                let this = doc! { "n": number, "dueAt": { "$lte": micros } };
                claimed.extend(claim(&mails, this, micros, lease).await?);
            }
            Ok(claimed)
        })
        .await
    }

    async fn claim_one(&self, id: u64, now: Timestamp, lease: Timestamp) -> Result<Option<ClaimedMail>, StoreError> {
        let mails = self.collections.mails.clone();
        let this = doc! { "n": i64::try_from(id).unwrap_or(i64::MAX) };
        self.run(async move { claim(&mails, this, now.as_microsecond(), lease).await }).await
    }

    async fn settle(
        &self,
        id: u64,
        lease: Timestamp,
        outcome: &MailOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (state, reason, due_at) = match outcome {
            MailOutcome::Sent => (MailState::Sent, None, None),
            MailOutcome::Waiting { reason, next_try_at } => {
                (MailState::Waiting, Some(reason.clone()), Some(codec::micros_up(*next_try_at)))
            }
            MailOutcome::Failed(reason) => (MailState::Failed, Some(reason.clone()), None),
        };
        let this = doc! { "n": i64::try_from(id).unwrap_or(i64::MAX), "lease": lease.as_microsecond() };
        let mut unless_sent = this.clone();
        if state != MailState::Sent {
            unless_sent.insert("state", doc! { "$ne": MailState::Sent.as_str() });
        }
        let fields = doc! {
            "state": state.as_str(),
            "reason": reason,
            "changedAt": codec::micros_up(now),
            "dueAt": due_at,
            "lease": 0_i64,
        };
        let mails = self.collections.mails.clone();
        self.run(async move {
            let update = doc! { "$set": fields, "$inc": { "attempts": 1_i64 } };
            let settled = mails.update_one(unless_sent, update).await.map_err(|error| Failed::write(&error))?;
            if settled.matched_count > 0 {
                return Ok(true);
            }
            let ended = mails.update_one(this, doc! { "$set": { "lease": 0_i64 } }).await;
            Ok(ended.map_err(|error| Failed::write(&error))?.matched_count > 0)
        })
        .await
    }

    async fn waiting(&self) -> Result<u64, StoreError> {
        let mails = self.collections.mails.clone();
        self.run(async move { codec::counted(&mails, doc! { "state": MailState::Waiting.as_str() }).await }).await
    }

    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        let mails = self.collections.mails.clone();
        self.run(async move {
            codec::all(mails.find(doc! {}).sort(doc! { "n": -1 }).limit(limit.into()), codec::read).await
        })
        .await
    }

    async fn records(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError> {
        let mails = self.collections.mails.clone();
        let (filter, sort) = match state {
            None => (doc! {}, doc! { "n": -1 }),
            Some(state) => (doc! { "state": state.as_str() }, doc! { "changedAt": -1, "n": -1 }),
        };
        self.run(async move { codec::all(mails.find(filter).sort(sort).limit(limit.into()), record).await }).await
    }

    async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError> {
        let (mails, this) = (self.collections.mails.clone(), i64::try_from(id).unwrap_or(i64::MAX));
        self.run(async move { codec::first(&mails, doc! { "n": this }, record).await }).await
    }

    async fn forget(&self, done_before: Timestamp, failed_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mails = self.collections.mails.clone();
        self.run(async move {
            let newest = codec::all(mails.find(doc! {}).sort(doc! { "n": -1 }).limit(1), |row| codec::whole(row, "n"));
            let Some(newest) = newest.await?.first().copied() else { return Ok(0) };
            let done = [MailState::Kept.as_str(), MailState::Sent.as_str()].to_vec();
            let of = |states: Vec<&str>, before: Timestamp| {
                doc! { "state": { "$in": states }, "changedAt": { "$lt": before.as_microsecond() } }
            };
            let old = [of(done, done_before), of(vec![MailState::Failed.as_str()], failed_before)];
            codec::delete_some(&mails, doc! { "n": { "$ne": newest }, "$or": old.to_vec() }, limit).await
        })
        .await
    }
}

/// The numbers of the mails of this kind that may be claimed.
async fn due(mails: &Collection<Document>, mut of: Document, now: i64, limit: u32) -> Result<Vec<i64>, StoreError> {
    of.insert("dueAt", doc! { "$lte": now });
    of.insert("lease", doc! { "$lte": now });
    let due = mails.find(of).sort(doc! { "dueAt": 1, "n": 1 }).limit(limit.into()).projection(doc! { "n": 1 });
    codec::all(due, |row| codec::whole(row, "n")).await
}

/// Claims the mail that this finds, unless somebody has it.
async fn claim(
    mails: &Collection<Document>,
    mut this: Document,
    now: i64,
    lease: Timestamp,
) -> Result<Option<ClaimedMail>, StoreError> {
    let until = lease.as_microsecond();
    this.insert("lease", doc! { "$lte": now });
    let claimed = mails
        .find_one_and_update(this, doc! { "$set": { "lease": until } })
        .return_document(ReturnDocument::After)
        .await
        .map_err(|error| Failed::write(&error))?;
    let lease = codec::time(until)?;
    claimed.map(|row| Ok(ClaimedMail { record: record(&row)?, lease })).transpose()
}

impl Engine {
    /// Writes a mail, if it is not there yet; returns whether it was not.
    async fn keep(&self, event: EventId, mail: &Mail, state: MailState) -> Result<bool, StoreError> {
        let (mails, number) = (self.collections.mails.clone(), self.sequence.next());
        let now = Timestamp::now();
        let made = document(
            &MailRecord {
                id: number,
                event,
                mail: mail.clone(),
                state,
                attempts: 0,
                reason: None,
                changed_at: now,
                next_try_at: (state == MailState::Waiting).then_some(now),
            },
            0,
        )?;
        self.run(async move {
            match mails.insert_one(made).await {
                Ok(_) => Ok(true),
                Err(error) if codec::is_duplicate(&error) => Ok(false),
                Err(error) => Err(Failed::write(&error)),
            }
        })
        .await
    }
}

/// A record as it stands, claimed until `lease` (0 for by nobody).
pub(super) fn document(record: &MailRecord, lease: i64) -> Result<Document, StoreError> {
    Ok(doc! {
        "n": codec::long(record.id)?,
        "event": codec::oid(record.event.bytes()),
        "recipient": &record.mail.to,
        "announcement": record.mail.announcement,
        "state": record.state.as_str(),
        "attempts": i64::from(record.attempts),
        "reason": record.reason.clone(),
        "changedAt": codec::micros_up(record.changed_at),
        "dueAt": record.next_try_at.map(codec::micros_up),
        "lease": lease,
        "doc": codec::document(&record.mail)?,
    })
}

fn record(row: &Document) -> Result<MailRecord, StoreError> {
    let word = codec::string(row, "state")?;
    let state = STATES.into_iter().find(|state| state.as_str() == word);
    Ok(MailRecord {
        id: codec::count(row, "n")?,
        event: EventId::from_bytes(codec::id(row, "event")?),
        mail: codec::read(row)?,
        state: state.ok_or_else(|| codec::corrupt(format!("a mail that is {word}")))?,
        attempts: u32::try_from(codec::whole(row, "attempts")?).map_err(codec::corrupt)?,
        reason: row.get_str("reason").ok().map(str::to_owned),
        changed_at: codec::time(codec::whole(row, "changedAt")?)?,
        next_try_at: codec::optional_time(row, "dueAt")?,
    })
}
