//! Users, and the tokens that are dead before their time.

use async_trait::async_trait;
use bson::{Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        identity::username_key,
        ids::UserId,
        user::{Role, User},
    },
    store::{
        AccountStore, StoreError,
        accounts::{BLOCK_PREFIX, BLOCKS_END, blocked_user},
    },
};

#[async_trait]
impl AccountStore for Engine {
    async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, StoreError> {
        let (users, events) = (self.collections.users.clone(), self.prepare(events)?);
        let (id, version, woken) = (codec::oid(user.id.bytes()), user.version, !events.is_empty());
        let fields = fields(user)?;
        let saved = self.run(async move { codec::save(&users, id, version, fields, events).await }).await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.user(doc! { "_id": codec::oid(id.bytes()) }).await
    }

    async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError> {
        self.user(doc! { "email": folded }).await
    }

    async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError> {
        self.user(doc! { "username": folded }).await
    }

    async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError> {
        let users = self.collections.users.clone();
        self.run(async move {
            let find = users.find(doc! { "doc.role": role.as_str() }).sort(doc! { "_id": 1 }).limit(limit.into());
            codec::all(find, user).await
        })
        .await
    }

    async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let (tokens, jti) = (self.collections.dead_tokens.clone(), jti.to_owned());
        let until = dead_until(expires_at);
        self.run(async move {
            let update = tokens.update_one(doc! { "_id": jti }, doc! { "$max": until }).upsert(true);
            update.await.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }

    async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let (tokens, now) = (self.collections.dead_tokens.clone(), now.as_microsecond());
        self.run(async move {
            let gone = tokens.delete_many(doc! { "expiresAt": { "$lte": now } }).await;
            gone.map_err(|error| Failed::write(&error))?;
            codec::all(tokens.find(doc! {}), dead_token).await
        })
        .await
    }

    async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        let (tokens, jti) = (self.collections.dead_tokens.clone(), jti.to_owned());
        self.run(async move { Ok(codec::counted(&tokens, doc! { "_id": jti }).await? > 0) }).await
    }

    async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError> {
        let tokens = self.collections.dead_tokens.clone();
        self.run(async move {
            let find = tokens.find(doc! { "_id": { "$gte": BLOCK_PREFIX, "$lt": BLOCKS_END } });
            let keys = codec::all(find, |row| Ok(codec::string(row, "_id")?.to_owned())).await?;
            Ok(keys.iter().filter_map(|key| blocked_user(key)).collect())
        })
        .await
    }

    async fn killed_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let (tokens, since) = (self.collections.dead_tokens.clone(), since.as_microsecond());
        let now = Timestamp::now().as_microsecond();
        let killed = doc! { "killedAt": { "$gte": since }, "expiresAt": { "$gt": now } };
        self.run(async move { codec::all(tokens.find(killed), dead_token).await }).await
    }
}

/// The fields of a user besides its id, version and events.
pub(super) fn fields(user: &User) -> Result<Document, StoreError> {
    Ok(doc! {
        "email": user.email_key(),
        "username": username_key(&user.username),
        "doc": codec::document(user)?,
    })
}

/// The fields of a token that is killed now, besides its id.
pub(super) fn dead_until(expires_at: Timestamp) -> Document {
    doc! {
        "expiresAt": codec::micros_up(expires_at),
        "forgetAt": codec::date(expires_at),
        "killedAt": Timestamp::now().as_microsecond(),
    }
}

fn dead_token(row: &Document) -> Result<(String, Timestamp), StoreError> {
    Ok((codec::string(row, "_id")?.to_owned(), codec::time(codec::whole(row, "expiresAt")?)?))
}

impl Engine {
    async fn user(&self, filter: Document) -> Result<Option<User>, StoreError> {
        let users = self.collections.users.clone();
        self.run(async move { codec::first(&users, filter, user).await }).await
    }
}

pub(super) fn user(row: &Document) -> Result<User, StoreError> {
    Ok(User { version: codec::count(row, "version")?, ..codec::read(row)? })
}
