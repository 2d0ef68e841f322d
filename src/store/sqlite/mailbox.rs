//! Mails and what became of them.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore,
        mailbox::{Mail, MailOutcome, MailRecord, MailState},
    },
};

const STATES: [(MailState, i64); 4] =
    [(MailState::Kept, 0), (MailState::Waiting, 1), (MailState::Sent, 2), (MailState::Failed, 3)];

/// The number that stands for a state.
fn number(state: MailState) -> i64 {
    STATES.iter().find(|(known, _)| *known == state).map_or(0, |(_, number)| *number)
}

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        let row = (mail.to.clone(), codec::json(mail)?);
        self.write(move |writing| insert(writing, event, &row, MailState::Kept)).await
    }

    async fn open(&self, event: EventId, mail: &Mail) -> Result<MailRecord, StoreError> {
        let row = (mail.to.clone(), codec::json(mail)?);
        self.write(move |writing| {
            insert(writing, event, &row, MailState::Waiting)?;
            let sql = "SELECT id, event, doc, state, attempts, reason, changed_at
                       FROM mails WHERE event = ?1 AND recipient = ?2";
            let found = codec::first(writing, sql, (event.as_slice(), &row.0), read_record)?;
            found.ok_or_else(|| StoreError::Unavailable("a mail that was written is not there".into()))
        })
        .await
    }

    async fn settle(&self, id: u64, outcome: &MailOutcome, now: Timestamp) -> Result<(), StoreError> {
        let (state, reason) = match outcome {
            MailOutcome::Sent => (MailState::Sent, None),
            MailOutcome::Waiting(reason) => (MailState::Waiting, Some(reason.clone())),
            MailOutcome::Failed(reason) => (MailState::Failed, Some(reason.clone())),
        };
        let now = codec::micros_up(now);
        self.write(move |writing| {
            let sql = "UPDATE mails SET state = ?2, attempts = attempts + 1, reason = ?3, changed_at = ?4
                       WHERE id = ?1 AND (state <> ?5 OR ?2 = ?5)";
            let row = (id, number(state), reason, now, number(MailState::Sent));
            codec::execute(writing, sql, row).map(|_| ())
        })
        .await
    }

    async fn list(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT doc FROM mails ORDER BY id DESC LIMIT ?1";
            codec::all(connection, sql, [limit], |row| codec::document(row, 0))
        })
        .await
    }

    async fn records(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError> {
        self.read(move |connection| match state {
            None => {
                let sql = "SELECT id, event, doc, state, attempts, reason, changed_at
                           FROM mails ORDER BY id DESC LIMIT ?1";
                codec::all(connection, sql, [limit], read_record)
            }
            Some(state) => {
                let sql = "SELECT id, event, doc, state, attempts, reason, changed_at
                           FROM mails WHERE state = ?1 ORDER BY changed_at DESC, id DESC LIMIT ?2";
                codec::all(connection, sql, (number(state), limit), read_record)
            }
        })
        .await
    }

    async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError> {
        let id = codec::offset(id);
        self.read(move |connection| {
            let sql = "SELECT id, event, doc, state, attempts, reason, changed_at FROM mails WHERE id = ?1";
            codec::first(connection, sql, [id], read_record)
        })
        .await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = before.as_microsecond();
        self.write(move |writing| {
            let sql = "DELETE FROM mails WHERE id < (SELECT max(id) FROM mails) AND id IN
                       (SELECT id FROM mails WHERE state IN (?1, ?2) AND changed_at < ?3 LIMIT ?4)";
            let row = (number(MailState::Kept), number(MailState::Sent), before, limit);
            codec::execute(writing, sql, row).map(|count| u64::try_from(count).unwrap_or(u64::MAX))
        })
        .await
    }
}

/// Writes a mail and its recipient, if it is not there yet; returns whether it was not.
fn insert(
    writing: &Connection,
    event: EventId,
    (to, doc): &(String, Vec<u8>),
    state: MailState,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO mails (event, recipient, doc, state, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (event, recipient) DO NOTHING";
    let row = (event.as_slice(), to, doc, number(state), codec::micros_up(Timestamp::now()));
    Ok(codec::execute(writing, sql, row)? > 0)
}

fn read_record(row: &Row<'_>) -> Result<MailRecord, StoreError> {
    let state: i64 = row.get(3)?;
    let state = STATES.iter().find(|(_, number)| *number == state).map(|(state, _)| *state);
    Ok(MailRecord {
        id: row.get(0)?,
        event: codec::id(row, 1)?,
        mail: codec::document(row, 2)?,
        state: state.ok_or_else(|| StoreError::Corrupt("a mail in a state that is none".into()))?,
        attempts: row.get(4)?,
        reason: row.get(5)?,
        changed_at: codec::time(row.get(6)?)?,
    })
}
