//! Decides which of several accounts of earlier versions keeps an e-mail address that is now considered the same, as
//! the embedded store's schema step does.
//!
//! It runs before users get the current keys, because those must be unique. Every write is conditional on the version
//! that was read and depends on the accounts alone, so that several nodes may do this at once, and an interrupted run
//! is repeated.
//!
//! **Invariant:** it is recorded as done only after every user was checked.

use std::collections::BTreeMap;

use bson::{Bson, Document as Row, doc};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    engine::Engine,
    upgrades,
};
use crate::{
    domain::user::User,
    store::{StoreError, document::Document, log_shared_email},
};

/// The record that this is done.
const NOTE: &str = "identity";
/// Users that are read at once.
const PAGE: u32 = 1_000;
/// How often the decision about an address is retried after a conflict.
const TRIES: u32 = 16;

/// Leaves each e-mail address to the oldest account that has it; runs once.
pub(super) async fn upgrade(engine: &Engine) -> Result<(), StoreError> {
    if upgrades::is_noted(engine, NOTE).await? {
        return Ok(());
    }
    let users = engine.place(User::SPEC)?.collection;
    let mut by_address: BTreeMap<String, Vec<User>> = BTreeMap::new();
    for user in changed(engine, &users).await? {
        by_address.entry(user.email_key()).or_default().push(user);
    }
    for (key, changed) in by_address {
        settle(engine, &users, &key, changed).await?;
    }
    upgrades::note(engine, NOTE).await
}

/// The users whose key differs from that of the earlier layout; there are few.
async fn changed(engine: &Engine, users: &Collection<Row>) -> Result<Vec<User>, StoreError> {
    let (mut changed, mut after) = (vec![], Bson::MinKey);
    loop {
        let (users, mut filter) = (users.clone(), doc! { "email": { "$exists": true } });
        if after != Bson::MinKey {
            filter.insert("_id", doc! { "$gt": after });
        }
        let page: Vec<(Bson, String, User)> = engine
            .run(async move {
                codec::all(users.find(filter).sort(doc! { "_id": 1 }).limit(PAGE.into()), |row| {
                    let id = row.get("_id").cloned().ok_or_else(|| codec::corrupt("a user without an id"))?;
                    Ok((id, codec::string(row, "email")?.to_owned(), user(row)?))
                })
                .await
            })
            .await?;
        let Some((last, ..)) = page.last() else { return Ok(changed) };
        after = last.clone();
        changed.extend(page.into_iter().filter(|(_, key, user)| *key != user.email_key()).map(|(_, _, user)| user));
    }
}

/// Of the users with one address, all but the oldest lose it.
async fn settle(engine: &Engine, users: &Collection<Row>, key: &str, changed: Vec<User>) -> Result<(), StoreError> {
    let mut ids: Vec<Bson> = changed.iter().map(|user| codec::oid(user.id.bytes()).into()).collect();
    let (collection, had) = (users.clone(), doc! { "email": key });
    ids.extend(
        engine
            .run(async move { codec::first(&collection, had, |row| Ok(row.get("_id").cloned())).await })
            .await?
            .flatten(),
    );
    for _ in 0..TRIES {
        let (collection, these) = (users.clone(), doc! { "_id": { "$in": &ids } });
        let mut having = engine.run(async move { codec::all(collection.find(these), user).await }).await?;
        having.retain(|user| user.email_key() == key);
        having.sort_by_key(|user| (user.created_at, user.id));
        let Some((keeper, others)) = having.split_first() else { return Ok(()) };
        let mut is_settled = true;
        for other in others {
            if leave(engine, users, other, keeper).await? {
                log_shared_email(keeper, other);
            } else {
                is_settled = false;
            }
        }
        if is_settled {
            return Ok(());
        }
    }
    Err(StoreError::Conflict)
}

/// Removes the address from a user, if the version is still the one that was read; returns whether it was.
async fn leave(engine: &Engine, users: &Collection<Row>, other: &User, keeper: &User) -> Result<bool, StoreError> {
    let mut other = other.clone();
    other.leave_email_to(keeper.id);
    let this = doc! { "_id": codec::oid(other.id.bytes()), "version": codec::long(other.version)? };
    let left = doc! { "$set": { "doc": codec::document(&other)? }, "$inc": { "version": 1_i64 } };
    let users = users.clone();
    engine
        .run(async move {
            let written = users.update_one(this, left).await.map_err(|error| Failed::write(&error))?;
            Ok(written.matched_count > 0)
        })
        .await
}

fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User { version: codec::count(row, "version")?, ..codec::read(row)? })
}
