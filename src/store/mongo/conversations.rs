//! Conversations, one document each, and what was spent in them, one for each user and day.

use async_trait::async_trait;
use bson::{Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        conversation::{Conversation, Summary},
        ids::{ConversationId, UserId},
    },
    store::{ConversationStore, Page, StoreError, conversations::Day},
};

/// How many of one user's are deleted at once.
const AT_ONCE: u32 = 100;

#[async_trait]
impl ConversationStore for Engine {
    async fn save(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        let (conversations, version) = (self.collections.conversations.clone(), conversation.version);
        let (id, user) = (codec::oid(conversation.id.bytes()), codec::oid(conversation.user.bytes()));
        let next = version + 1;
        let made = document(conversation, next)?;
        self.run(async move {
            if version == 0 {
                conversations.insert_one(made).await.map_err(|error| Failed::write(&error))?;
                return Ok(next);
            }
            let mut fields = made;
            fields.remove("_id");
            let filter = doc! { "_id": id, "user": user, "version": codec::long(version)? };
            let written = conversations.update_one(filter, doc! { "$set": fields }).await;
            let written = written.map_err(|error| Failed::write(&error))?;
            if written.matched_count == 0 { Err(StoreError::Conflict) } else { Ok(next) }
        })
        .await
    }

    async fn get(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            codec::first(&conversations, doc! { "_id": codec::oid(id.bytes()) }, |row| {
                Ok(Conversation { version: codec::count(row, "version")?, ..codec::read(row)? })
            })
            .await
        })
        .await
    }

    async fn owner_of(&self, id: ConversationId) -> Result<Option<UserId>, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            let find = conversations.find(doc! { "_id": codec::oid(id.bytes()) }).projection(doc! { "user": 1 });
            let owners = codec::all(find, |row| Ok(UserId::from_bytes(codec::id(row, "user")?))).await?;
            Ok(owners.into_iter().next())
        })
        .await
    }

    async fn newest(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            let find = conversations.find(doc! { "user": codec::oid(user.bytes()) });
            let find = find.sort(doc! { "updatedAt": -1, "_id": -1 }).limit(1).projection(doc! { "_id": 1 });
            let ids = codec::all(find, |row| Ok(ConversationId::from_bytes(codec::id(row, "_id")?))).await?;
            Ok(ids.into_iter().next())
        })
        .await
    }

    async fn of_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Page<Summary>, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            let (filter, sort) = (doc! { "user": codec::oid(user.bytes()) }, doc! { "updatedAt": -1, "_id": -1 });
            let total = codec::counted(&conversations, filter.clone()).await?;
            if skip >= total {
                return Ok(Page { rows: vec![], total });
            }
            let find = conversations.find(filter).sort(sort).skip(skip).limit(limit.into());
            let rows = codec::all(find.projection(doc! { "summary": 1 }), summary).await?;
            Ok(Page { rows, total })
        })
        .await
    }

    async fn delete(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            let filter = doc! { "_id": codec::oid(id.bytes()), "user": codec::oid(user.bytes()) };
            let deleted = conversations.delete_one(filter).await.map_err(|error| Failed::write(&error))?;
            Ok(deleted.deleted_count > 0)
        })
        .await
    }

    async fn keep_newest(&self, user: UserId, keep: u32) -> Result<u64, StoreError> {
        let conversations = self.collections.conversations.clone();
        self.run(async move {
            let filter = doc! { "user": codec::oid(user.bytes()) };
            if codec::counted(&conversations, filter.clone()).await? <= u64::from(keep) {
                return Ok(0);
            }
            let find = conversations.find(filter).sort(doc! { "updatedAt": -1, "_id": -1 }).skip(keep.into());
            let find = find.limit(AT_ONCE.into()).projection(doc! { "_id": 1 });
            let ids = codec::all(find, |row| Ok(codec::oid(codec::id(row, "_id")?))).await?;
            let deleted = conversations.delete_many(doc! { "_id": { "$in": ids } }).await;
            Ok(deleted.map_err(|error| Failed::write(&error))?.deleted_count)
        })
        .await
    }

    async fn expire(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let conversations = self.collections.conversations.clone();
        let filter = doc! { "updatedAt": { "$lt": before.as_microsecond() } };
        self.run(async move { codec::delete_some(&conversations, filter, limit).await }).await
    }

    async fn spent(&self, user: UserId, day: Day) -> Result<u64, StoreError> {
        let spent = self.collections.tokens_spent.clone();
        self.run(async move {
            let sum = codec::first(&spent, doc! { "_id": name(user, day) }, |row| codec::count(row, "tokens")).await?;
            Ok(sum.unwrap_or(0))
        })
        .await
    }

    async fn spend(&self, user: UserId, day: Day, tokens: u64) -> Result<(), StoreError> {
        let spent = self.collections.tokens_spent.clone();
        self.run(async move {
            let update = doc! {
                "$inc": { "tokens": codec::long(tokens)? },
                "$setOnInsert": { "user": codec::oid(user.bytes()), "day": day },
            };
            let added = spent.update_one(doc! { "_id": name(user, day) }, update).upsert(true).await;
            added.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }

    async fn forget_spent(&self, before: Day, limit: u32) -> Result<u64, StoreError> {
        let spent = self.collections.tokens_spent.clone();
        self.run(async move { codec::delete_some(&spent, doc! { "day": { "$lt": before } }, limit).await }).await
    }
}

/// A conversation as it stands with this version.
pub(super) fn document(conversation: &Conversation, version: u64) -> Result<Document, StoreError> {
    Ok(doc! {
        "_id": codec::oid(conversation.id.bytes()),
        "user": codec::oid(conversation.user.bytes()),
        "version": codec::long(version)?,
        "updatedAt": codec::micros_up(conversation.updated_at),
        "summary": codec::document(&conversation.summary())?,
        "doc": codec::document(conversation)?,
    })
}

fn summary(row: &Document) -> Result<Summary, StoreError> {
    codec::read(&doc! { "doc": row.get("summary").cloned() })
}

fn name(user: UserId, day: Day) -> String {
    format!("{user}:{day}")
}

/// What a user spent on a day.
pub(super) fn spent_document(user: UserId, day: Day, tokens: u64) -> Result<Document, StoreError> {
    Ok(doc! {
        "_id": name(user, day),
        "user": codec::oid(user.bytes()),
        "day": day,
        "tokens": codec::long(tokens)?,
    })
}
