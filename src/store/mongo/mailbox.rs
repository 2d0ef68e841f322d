//! Mails and what became of them, where every node finds them.

use async_trait::async_trait;
use bson::{Bson, Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore, StoreError,
        mailbox::{Mail, MailOutcome, MailRecord, MailState},
    },
};

const STATES: [MailState; 4] = [MailState::Kept, MailState::Waiting, MailState::Sent, MailState::Failed];

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        self.keep(event, mail, MailState::Kept).await
    }

    async fn open(&self, event: EventId, mail: &Mail) -> Result<MailRecord, StoreError> {
        self.keep(event, mail, MailState::Waiting).await?;
        let mails = self.collections.mails.clone();
        let this = doc! { "event": codec::oid(event.bytes()), "recipient": &mail.to };
        let found = self.run(async move { codec::first(&mails, this, record).await }).await?;
        found.ok_or_else(|| StoreError::Unavailable("a mail that was written is not there".into()))
    }

    async fn settle(&self, id: u64, outcome: &MailOutcome, now: Timestamp) -> Result<(), StoreError> {
        let (state, reason) = match outcome {
            MailOutcome::Sent => (MailState::Sent, None),
            MailOutcome::Waiting(reason) => (MailState::Waiting, Some(reason.clone())),
            MailOutcome::Failed(reason) => (MailState::Failed, Some(reason.clone())),
        };
        let mut this = doc! { "n": codec::long(id)? };
        if state != MailState::Sent {
            this.insert("state", doc! { "$ne": MailState::Sent.as_str() });
        }
        let fields = doc! { "state": state.as_str(), "reason": reason, "changedAt": codec::micros_up(now) };
        let mails = self.collections.mails.clone();
        self.run(async move {
            let settled = mails.update_one(this, doc! { "$set": fields, "$inc": { "attempts": 1_i64 } }).await;
            settled.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
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

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mails = self.collections.mails.clone();
        self.run(async move {
            let done = [MailState::Kept.as_str(), MailState::Sent.as_str()].to_vec();
            let newest = codec::all(mails.find(doc! {}).sort(doc! { "n": -1 }).limit(1), |row| codec::whole(row, "n"));
            let Some(newest) = newest.await?.first().copied() else { return Ok(0) };
            let old = doc! {
                "state": { "$in": done },
                "changedAt": { "$lt": before.as_microsecond() },
                "n": { "$ne": newest },
            };
            codec::delete_some(&mails, old, limit).await
        })
        .await
    }
}

impl Engine {
    /// Writes a mail, if it is not there yet; returns whether it was not.
    async fn keep(&self, event: EventId, mail: &Mail, state: MailState) -> Result<bool, StoreError> {
        let (mails, number) = (self.collections.mails.clone(), self.sequence.next());
        let made = doc! {
            "n": codec::long(number)?,
            "event": codec::oid(event.bytes()),
            "recipient": &mail.to,
            "state": state.as_str(),
            "attempts": 0_i64,
            "reason": Bson::Null,
            "changedAt": codec::micros_up(Timestamp::now()),
            "doc": codec::document(mail)?,
        };
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
    })
}
