//! Mails and what became of them.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{Timestamp, ids::EventId},
    store::{
        MailboxStore,
        mailbox::{ClaimedMail, Mail, MailOutcome, MailRecord, MailState},
    },
};

const STATES: [(MailState, i64); 4] =
    [(MailState::Kept, 0), (MailState::Waiting, 1), (MailState::Sent, 2), (MailState::Failed, 3)];

/// The columns that [`read_record`] reads.
const COLUMNS: &str = "id, event, doc, state, attempts, reason, changed_at, due_at";
/// The same, and behind them at [`LEASE`] until when the mail is claimed.
pub(super) const COLUMNS_AND_LEASE: &str =
    "id, event, doc, state, attempts, reason, changed_at, due_at, coalesce(lease, 0)";
/// See [`COLUMNS_AND_LEASE`].
pub(super) const LEASE: usize = 8;

/// The number that stands for a state.
fn number(state: MailState) -> i64 {
    STATES.iter().find(|(known, _)| *known == state).map_or(0, |(_, number)| *number)
}

#[async_trait]
impl MailboxStore for Engine {
    async fn put(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        let row = (mail.to.clone(), codec::json(mail)?, mail.announcement);
        self.write(move |writing| insert(writing, event, &row, MailState::Kept)).await
    }

    async fn open(&self, event: EventId, mail: &Mail) -> Result<bool, StoreError> {
        let row = (mail.to.clone(), codec::json(mail)?, mail.announcement);
        self.write(move |writing| insert(writing, event, &row, MailState::Waiting)).await
    }

    async fn claim(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
        announcements: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let now = now.as_microsecond();
        // Looking is for the readers: the writer is asked only when there is something.
        if self.read(move |connection| Ok(due(connection, now, limit, announcements)?.is_empty())).await? {
            return Ok(vec![]);
        }
        self.write(move |writing| {
            let ids = due(writing, now, limit, announcements)?;
            let claimed = ids.into_iter().map(|id| claim(writing, id, now, lease)).collect::<Result<Vec<_>, _>>()?;
            Ok(claimed.into_iter().flatten().collect())
        })
        .await
    }

    async fn claim_one(&self, id: u64, now: Timestamp, lease: Timestamp) -> Result<Option<ClaimedMail>, StoreError> {
        let (id, now) = (codec::offset(id), now.as_microsecond());
        self.write(move |writing| claim(writing, id, now, lease)).await
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
        let (id, lease, now) = (codec::offset(id), lease.as_microsecond(), codec::micros_up(now));
        self.write(move |writing| {
            let sql = "UPDATE mails SET state = ?3, attempts = attempts + 1, reason = ?4, changed_at = ?5, due_at = ?6,
                           lease = NULL
                       WHERE id = ?1 AND lease = ?2 AND (state <> ?7 OR ?3 = ?7)";
            let row = (id, lease, number(state), reason, now, due_at, number(MailState::Sent));
            if codec::execute(writing, sql, row)? > 0 {
                return Ok(true);
            }
            let sql = "UPDATE mails SET lease = NULL WHERE id = ?1 AND lease = ?2";
            Ok(codec::execute(writing, sql, (id, lease))? > 0)
        })
        .await
    }

    async fn waiting(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM mails WHERE state = ?1";
        self.read(move |connection| codec::count(connection, sql, [number(MailState::Waiting)])).await
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
                let sql = format!("SELECT {COLUMNS} FROM mails ORDER BY id DESC LIMIT ?1");
                codec::all(connection, &sql, [limit], read_record)
            }
            Some(state) => {
                let order = "ORDER BY changed_at DESC, id DESC LIMIT ?2";
                let sql = format!("SELECT {COLUMNS} FROM mails WHERE state = ?1 {order}");
                codec::all(connection, &sql, (number(state), limit), read_record)
            }
        })
        .await
    }

    async fn record(&self, id: u64) -> Result<Option<MailRecord>, StoreError> {
        let id = codec::offset(id);
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM mails WHERE id = ?1");
            codec::first(connection, &sql, [id], read_record)
        })
        .await
    }

    async fn forget(&self, done_before: Timestamp, failed_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (done_before, failed_before) = (done_before.as_microsecond(), failed_before.as_microsecond());
        self.write(move |writing| {
            let sql = "DELETE FROM mails WHERE id < (SELECT max(id) FROM mails) AND id IN
                       (SELECT id FROM mails WHERE (state IN (?1, ?2) AND changed_at < ?3)
                                                OR (state = ?4 AND changed_at < ?5) LIMIT ?6)";
            let done = (number(MailState::Kept), number(MailState::Sent), done_before);
            let row = (done.0, done.1, done.2, number(MailState::Failed), failed_before, limit);
            codec::execute(writing, sql, row).map(|count| u64::try_from(count).unwrap_or(u64::MAX))
        })
        .await
    }
}

/// The numbers of the mails that may be claimed, announcements last.
fn due(connection: &Connection, now: i64, limit: u32, announcements: u32) -> Result<Vec<i64>, StoreError> {
    let of = |announcement: bool, limit: u32| {
        let sql = "SELECT id FROM mails WHERE announcement = ?1 AND due_at <= ?2 AND coalesce(lease, 0) <= ?2
                   ORDER BY due_at, id LIMIT ?3";
        codec::all(connection, sql, (announcement, now, limit), |row| Ok(row.get::<_, i64>(0)?))
    };
    let mut ids = of(false, limit)?;
    let left = limit.saturating_sub(u32::try_from(ids.len()).unwrap_or(u32::MAX)).min(announcements);
    if left > 0 {
        ids.extend(of(true, left)?);
    }
    Ok(ids)
}

/// Claims a mail, unless somebody has it.
fn claim(writing: &Connection, id: i64, now: i64, lease: Timestamp) -> Result<Option<ClaimedMail>, StoreError> {
    let until = lease.as_microsecond();
    let sql = "UPDATE mails SET lease = ?3 WHERE id = ?1 AND coalesce(lease, 0) <= ?2";
    if codec::execute(writing, sql, (id, now, until))? == 0 {
        return Ok(None);
    }
    let lease = codec::time(until)?;
    let sql = format!("SELECT {COLUMNS} FROM mails WHERE id = ?1");
    codec::first(writing, &sql, [id], |row| Ok(ClaimedMail { record: read_record(row)?, lease }))
}

/// Writes a mail and its recipient, if it is not there yet; returns whether it was not.
fn insert(
    writing: &Connection,
    event: EventId,
    (to, doc, announcement): &(String, Vec<u8>, bool),
    state: MailState,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO mails (event, recipient, doc, state, changed_at, due_at, announcement)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (event, recipient) DO NOTHING";
    let now = codec::micros_up(Timestamp::now());
    let due_at = (state == MailState::Waiting).then_some(now);
    let row = (event.as_slice(), to, doc, number(state), now, due_at, announcement);
    Ok(codec::execute(writing, sql, row)? > 0)
}

pub(super) fn read_record(row: &Row<'_>) -> Result<MailRecord, StoreError> {
    let state: i64 = row.get(3)?;
    let due_at: Option<i64> = row.get(7)?;
    let state = STATES.iter().find(|(_, number)| *number == state).map(|(state, _)| *state);
    Ok(MailRecord {
        id: row.get(0)?,
        event: codec::id(row, 1)?,
        mail: codec::document(row, 2)?,
        state: state.ok_or_else(|| StoreError::Corrupt("a mail in a state that is none".into()))?,
        attempts: row.get(4)?,
        reason: row.get(5)?,
        changed_at: codec::time(row.get(6)?)?,
        next_try_at: due_at.map(codec::time).transpose()?,
    })
}
