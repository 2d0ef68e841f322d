//! Gives stored users the current keys.
//!
//! E-mail addresses were once compared only in lower case. If two accounts turn out to have the same address, the
//! older one keeps it; the other one's document records that.
//!
//! **Invariant:** every user can still be found by id and by user name.

use rusqlite::{Connection, Row};

use super::{StoreError, codec};
use crate::domain::{
    ids::UserId,
    user::{NO_ADDRESS, User},
};

/// Sets every user's key to [`User::email_key`]. Runs within the schema step's transaction.
pub(super) fn upgrade(transaction: &Connection) -> Result<(), StoreError> {
    let mut changed = changed(transaction)?;
    changed.sort_by_key(|user| (user.created_at, user.id));
    // All old keys are removed first, because one user's old key may be another's new one.
    for user in &changed {
        set_key(transaction, user.id, &format!("{NO_ADDRESS}{}", user.id.to_hex()))?;
    }
    for user in changed {
        settle(transaction, user)?;
    }
    Ok(())
}

/// The users whose key has changed; there are few.
fn changed(connection: &Connection) -> Result<Vec<User>, StoreError> {
    let mut statement = connection.prepare("SELECT version, doc, email FROM users")?;
    let mut rows = statement.query([])?;
    let mut changed = vec![];
    while let Some(row) = rows.next()? {
        let (user, stored) = (user(row)?, row.get::<_, String>(2)?);
        if user.email_key() != stored {
            changed.push(user);
        }
    }
    Ok(changed)
}

/// Gives a user the key, unless an older account has it; a younger one loses it.
fn settle(connection: &Connection, user: User) -> Result<(), StoreError> {
    let key = user.email_key();
    let holder = codec::first(connection, "SELECT version, doc FROM users WHERE email = ?1", [&key], self::user)?;
    let Some(holder) = holder else { return set_key(connection, user.id, &key) };
    let (keeper, mut other) = if holder.is_older_than(&user) { (holder, user) } else { (user, holder) };
    other.leave_email_to(keeper.id);
    let row = (other.id.as_slice(), other.email_key(), codec::json(&other)?);
    codec::execute(connection, "UPDATE users SET email = ?2, doc = ?3, version = version + 1 WHERE id = ?1", row)?;
    crate::store::log_shared_email(&keeper, &other);
    set_key(connection, keeper.id, &key)
}

fn set_key(connection: &Connection, id: UserId, key: &str) -> Result<(), StoreError> {
    codec::execute(connection, "UPDATE users SET email = ?2 WHERE id = ?1", (id.as_slice(), key)).map(|_| ())
}

fn user(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User { version: row.get(0)?, ..codec::document(row, 1)? })
}
