//! Users, and the tokens that are dead before their time.

use async_trait::async_trait;
use rusqlite::params;

use super::{StoreError, codec, engine::Engine, writer::Writing};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        identity::username_key,
        ids::UserId,
        user::{Role, User},
    },
    store::{
        AccountStore,
        accounts::{BLOCK_PREFIX, BLOCKS_END, blocked_user},
    },
};

#[async_trait]
impl AccountStore for Engine {
    async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, StoreError> {
        let (id, version) = (user.id, user.version);
        let (email, username) = (user.email_key(), username_key(&user.username));
        let (doc, events) = (codec::json(user)?, self.prepare(events)?);
        self.write(move |writing| {
            let row = (id.as_slice(), email.as_str(), username.as_str(), version, doc.as_slice());
            let written = if version == 0 {
                codec::execute(
                    writing,
                    "INSERT INTO users (id, email, username, version, doc) VALUES (?1, ?2, ?3, ?4 + 1, ?5)",
                    row,
                )
            } else {
                codec::execute(
                    writing,
                    "UPDATE users SET email = ?2, username = ?3, version = version + 1, doc = ?5
                     WHERE id = ?1 AND version = ?4",
                    row,
                )
            };
            match written {
                Ok(0) => return Err(StoreError::Conflict),
                Ok(_) => {}
                Err(error) => return Err(taken(writing, error, id, version)),
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM users WHERE id = ?1", [id.as_slice()], user)
        })
        .await
    }

    async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError> {
        let folded = folded.to_owned();
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM users WHERE email = ?1", [folded], user)
        })
        .await
    }

    async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError> {
        let folded = folded.to_owned();
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM users WHERE username = ?1", [folded], user)
        })
        .await
    }

    async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError> {
        self.read(move |connection| {
            // As the index has it, letter by letter.
            let sql = "SELECT version, doc FROM users WHERE json_extract(CAST(doc AS TEXT), '$.role') = ?1
                       ORDER BY id LIMIT ?2";
            codec::all(connection, sql, (role.as_str(), limit), user)
        })
        .await
    }

    async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let (jti, expires_at) = (jti.to_owned(), codec::micros_up(expires_at));
        self.write(move |writing| {
            codec::execute(
                writing,
                "INSERT INTO dead_tokens (jti, expires_at) VALUES (?1, ?2)
                 ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
                params![jti, expires_at],
            )
            .map(|_| ())
        })
        .await
    }

    async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let now = now.as_microsecond();
        self.write(move |writing| {
            codec::execute(writing, "DELETE FROM dead_tokens WHERE expires_at <= ?1", [now])?;
            codec::all(writing, "SELECT jti, expires_at FROM dead_tokens", [], |row| {
                Ok((row.get(0)?, codec::time(row.get(1)?)?))
            })
        })
        .await
    }

    async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        let jti = jti.to_owned();
        self.read(move |connection| {
            codec::first(connection, "SELECT 1 FROM dead_tokens WHERE jti = ?1", [jti], |_| Ok(()))
        })
        .await
        .map(|found| found.is_some())
    }

    async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT jti FROM dead_tokens WHERE jti >= ?1 AND jti < ?2";
            let keys = codec::all(connection, sql, [BLOCK_PREFIX, BLOCKS_END], |row| Ok(row.get::<_, String>(0)?))?;
            Ok(keys.iter().filter_map(|key| blocked_user(key)).collect())
        })
        .await
    }

    async fn killed_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        // When a token was killed is not kept: one process alone remembers all of them anyway.
        let since = since.as_microsecond();
        self.read(move |connection| {
            codec::all(connection, "SELECT jti, expires_at FROM dead_tokens WHERE expires_at > ?1", [since], |row| {
                Ok((row.get(0)?, codec::time(row.get(1)?)?))
            })
        })
        .await
    }
}

pub(super) fn user(row: &rusqlite::Row<'_>) -> Result<User, StoreError> {
    Ok(User { version: row.get(0)?, ..codec::document(row, 1)? })
}

/// Tells a second user of a name from a second first write of one user.
fn taken(writing: &Writing<'_>, error: StoreError, id: UserId, version: u64) -> StoreError {
    let StoreError::Duplicate(field) = error else { return error };
    let known = || codec::first(writing, "SELECT 1 FROM users WHERE id = ?1", [id.as_slice()], |_| Ok(()));
    match version {
        0 if matches!(known(), Ok(Some(()))) => StoreError::Conflict,
        _ => StoreError::Duplicate(field),
    }
}
