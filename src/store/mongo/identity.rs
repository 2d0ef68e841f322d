//! Gives stored users the keys by which they are found now, as the embedded store's schema step does.
//!
//! Every write is conditional on the version that was read, and decides by the two accounts alone,
//! so that several nodes may do this at once, and one that was cut off is begun again.
//!
//! **Invariant:** it is noted as done only after every user was looked at.

use bson::{Bson, Document, doc};

use super::{
    accounts,
    codec::{self, Failed},
    engine::Engine,
    upgrades,
};
use crate::{
    domain::user::{NO_ADDRESS, User},
    store::{StoreError, tell_of_shared_email},
};

/// The note that this was done.
const NOTE: &str = "identity";
/// Users that are read at once.
const PAGE: u32 = 1_000;
/// How often a user's key is decided anew when others were faster.
const TRIES: u32 = 16;

/// Brings every user's key to what [`User::email_key`] makes it, once.
pub(super) async fn upgrade(engine: &Engine) -> Result<(), StoreError> {
    if upgrades::is_noted(engine, NOTE).await? {
        return Ok(());
    }
    let mut changed = changed(engine).await?;
    changed.sort_by_key(|user| (user.created_at, user.id));
    for user in changed {
        settle(engine, user).await?;
    }
    upgrades::note(engine, NOTE).await
}

/// The users whose key is another now; few.
async fn changed(engine: &Engine) -> Result<Vec<User>, StoreError> {
    let (mut changed, mut after) = (vec![], Bson::MinKey);
    loop {
        let (users, from) = (engine.collections.users.clone(), after.clone());
        let page: Vec<(Bson, String, User)> = engine
            .run(async move {
                let filter = match from {
                    Bson::MinKey => Document::new(),
                    from => doc! { "_id": { "$gt": from } },
                };
                codec::all(users.find(filter).sort(doc! { "_id": 1 }).limit(PAGE.into()), |row| {
                    let id = row.get("_id").cloned().ok_or_else(|| codec::corrupt("a user without an id"))?;
                    Ok((id, codec::string(row, "email")?.to_owned(), accounts::user(row)?))
                })
                .await
            })
            .await?;
        let Some((last, ..)) = page.last() else { return Ok(changed) };
        after = last.clone();
        changed.extend(page.into_iter().filter(|(_, key, user)| *key != user.email_key()).map(|(_, _, user)| user));
    }
}

/// Gives a user the key, unless an older account has it; a younger one gives way.
async fn settle(engine: &Engine, user: User) -> Result<(), StoreError> {
    let mut user = user;
    for _ in 0..TRIES {
        let key = user.email_key();
        match write(engine, &user, &key, false).await {
            Ok(true) => return Ok(()),
            Err(StoreError::Duplicate(_)) => {
                let Some(holder) = holder(engine, &key).await? else { continue };
                if holder.id == user.id {
                    return Ok(());
                }
                if holder.email_key() != key {
                    // Its own key is another one too, and it will get that.
                    let away = format!("{NO_ADDRESS}{}", holder.id.to_hex());
                    write(engine, &holder, &away, false).await?;
                    continue;
                }
                let (keeper, mut other) = match holder.is_older_than(&user) {
                    true => (holder, user.clone()),
                    false => (user.clone(), holder),
                };
                other.leave_email_to(keeper.id);
                if write(engine, &other, &other.email_key(), true).await? {
                    tell_of_shared_email(&keeper, &other);
                    if other.id == user.id {
                        return Ok(());
                    }
                }
            }
            Ok(false) => {}
            Err(error) => return Err(error),
        }
        // Somebody wrote meanwhile, or gave way.
        match crate::store::AccountStore::get(engine, user.id).await? {
            Some(read) => user = read,
            None => return Ok(()),
        }
    }
    Err(StoreError::Conflict)
}

/// Writes a user's key, and with `whole` the document, if it still is of the version that was read;
/// returns whether it was.
async fn write(engine: &Engine, user: &User, key: &str, whole: bool) -> Result<bool, StoreError> {
    let users = engine.collections.users.clone();
    let this = doc! { "_id": codec::oid(user.id.bytes()), "version": codec::long(user.version)? };
    let mut fields = doc! { "email": key };
    let mut update = Document::new();
    if whole {
        fields.insert("doc", codec::document(user)?);
        update.insert("$inc", doc! { "version": 1_i64 });
    }
    update.insert("$set", fields);
    engine
        .run(async move {
            let written = users.update_one(this, update).await.map_err(|error| Failed::write(&error))?;
            Ok(written.matched_count > 0)
        })
        .await
}

async fn holder(engine: &Engine, key: &str) -> Result<Option<User>, StoreError> {
    let (users, of) = (engine.collections.users.clone(), doc! { "email": key });
    engine.run(async move { codec::first(&users, of, accounts::user).await }).await
}
