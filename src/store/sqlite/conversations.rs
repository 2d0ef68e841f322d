//! Conversations, and what was spent in them.

use async_trait::async_trait;
use rusqlite::Row;

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        conversation::{Conversation, Summary},
        ids::{ConversationId, UserId},
    },
    store::{ConversationStore, Page, conversations::Day},
};

/// How many of one user's are deleted at once.
const AT_ONCE: u32 = 100;

#[async_trait]
impl ConversationStore for Engine {
    async fn save(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        let Conversation { id, user, version, updated_at, .. } = *conversation;
        let (doc, summary) = (codec::json(conversation)?, codec::json(&conversation.summary())?);
        let updated_at = codec::micros_up(updated_at);
        self.write(move |writing| {
            let row = (id.as_slice(), user.as_slice(), version, updated_at, summary, doc);
            let sql = if version == 0 {
                "INSERT INTO conversations (id, user, version, updated_at, summary, doc)
                 VALUES (?1, ?2, ?3 + 1, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING"
            } else {
                "UPDATE conversations SET version = version + 1, updated_at = ?4, summary = ?5, doc = ?6
                 WHERE id = ?1 AND user = ?2 AND version = ?3"
            };
            if codec::execute(writing, sql, row)? == 0 { Err(StoreError::Conflict) } else { Ok(version + 1) }
        })
        .await
    }

    async fn get(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM conversations WHERE id = ?1";
            codec::first(connection, sql, [id.as_slice()], conversation)
        })
        .await
    }

    async fn owner_of(&self, id: ConversationId) -> Result<Option<UserId>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT user FROM conversations WHERE id = ?1";
            codec::first(connection, sql, [id.as_slice()], |row| codec::id(row, 0))
        })
        .await
    }

    async fn newest(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id FROM conversations WHERE user = ?1 ORDER BY updated_at DESC, id DESC LIMIT 1";
            codec::first(connection, sql, [user.as_slice()], |row| codec::id(row, 0))
        })
        .await
    }

    async fn of_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Page<Summary>, StoreError> {
        self.read_snapshot(move |connection| {
            let all = "SELECT count(*) FROM conversations WHERE user = ?1";
            let total = codec::count(connection, all, [user.as_slice()])?;
            let some = "SELECT summary FROM conversations WHERE user = ?1
                        ORDER BY updated_at DESC, id DESC LIMIT ?2 OFFSET ?3";
            let rows = codec::all(connection, some, (user.as_slice(), limit, codec::offset(skip)), |row| {
                codec::document(row, 0)
            })?;
            Ok(Page { rows, total })
        })
        .await
    }

    async fn delete(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        self.write(move |writing| {
            let sql = "DELETE FROM conversations WHERE id = ?1 AND user = ?2";
            Ok(codec::execute(writing, sql, (id.as_slice(), user.as_slice()))? > 0)
        })
        .await
    }

    async fn keep_newest(&self, user: UserId, keep: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM conversations WHERE id IN (SELECT id FROM conversations WHERE user = ?1
                   ORDER BY updated_at DESC, id DESC LIMIT ?3 OFFSET ?2)";
        self.write(move |writing| counted(codec::execute(writing, sql, (user.as_slice(), keep, AT_ONCE))?)).await
    }

    async fn expire(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = before.as_microsecond();
        let sql = "DELETE FROM conversations WHERE id IN
                   (SELECT id FROM conversations WHERE updated_at < ?1 LIMIT ?2)";
        self.write(move |writing| counted(codec::execute(writing, sql, (before, limit))?)).await
    }

    async fn spent(&self, user: UserId, day: Day) -> Result<u64, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT tokens FROM tokens_spent WHERE user = ?1 AND day = ?2";
            let spent = codec::first(connection, sql, (user.as_slice(), day), |row| Ok(row.get(0)?))?;
            Ok(spent.unwrap_or(0))
        })
        .await
    }

    async fn spend(&self, user: UserId, day: Day, tokens: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO tokens_spent (user, day, tokens) VALUES (?1, ?2, ?3)
                   ON CONFLICT (user, day) DO UPDATE SET tokens = tokens + excluded.tokens";
        self.write(move |writing| codec::execute(writing, sql, (user.as_slice(), day, tokens)).map(|_| ())).await
    }

    async fn forget_spent(&self, before: Day, limit: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM tokens_spent WHERE (user, day) IN
                   (SELECT user, day FROM tokens_spent WHERE day < ?1 LIMIT ?2)";
        self.write(move |writing| counted(codec::execute(writing, sql, (before, limit))?)).await
    }
}

fn counted(rows: usize) -> Result<u64, StoreError> {
    u64::try_from(rows).map_err(|error| StoreError::Corrupt(error.to_string()))
}

pub(super) fn conversation(row: &Row<'_>) -> Result<Conversation, StoreError> {
    Ok(Conversation { version: row.get(0)?, ..codec::document(row, 1)? })
}
