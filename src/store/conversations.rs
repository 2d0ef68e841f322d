//! Conversations with the assistant, and the model tokens that each user spent on each day.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Page, StoreError,
    document::{Backend, Collection, Desc, Document, Find, Index, NoUniqueKey, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        conversation::{Conversation, Summary},
        ids::{ConversationId, UserId},
    },
};

/// A day, as the number of days since 1970 in UTC.
pub type Day = i64;

/// How many of a user's conversations are deleted at once.
const AT_ONCE: u32 = 100;

/// The day of a time.
#[must_use]
pub fn day_of(time: Timestamp) -> Day {
    time.as_second().div_euclid(24 * 60 * 60)
}

const USER: Index<Conversation> = Index::new("user", |of| key((of.user, Desc(of.updated_at), Desc(of.id))));
const AGE: Index<Conversation> = Index::new("age", |of| key(of.updated_at));

impl Document for Conversation {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "conversations";
    const SERVICE: Service = Service::AiBuddy;
    const INDEXES: &'static [Index<Self>] = &[USER, AGE];

    stored_as!(self, ConversationId = self.id, self.version);
}

/// The tokens that a user spent on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokensSpent {
    user: UserId,
    day: Day,
    tokens: u64,
    #[serde(skip)]
    version: u64,
}

const DAY: Index<TokensSpent> = Index::new("day", |of| key(of.day));

impl TokensSpent {
    fn id_of(user: UserId, day: Day) -> String {
        format!("{user}:{day}")
    }

    fn of_user(user: UserId) -> Find<Self> {
        // A semicolon follows the colon.
        Find::by_id().after(Some(format!("{user}:"))).before(Some(format!("{user};")))
    }
}

impl Document for TokensSpent {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "tokens_spent";
    const SERVICE: Service = Service::AiBuddy;
    const INDEXES: &'static [Index<Self>] = &[DAY];

    stored_as!(self, String = Self::id_of(self.user, self.day), self.version);
}

/// Stores conversations. A save with a version other than the stored one changes nothing, so that a deleted
/// conversation stays deleted; spent tokens are only ever added.
#[derive(Clone)]
pub struct ConversationStore {
    conversations: Collection<Conversation>,
    spent: Collection<TokensSpent>,
}

impl ConversationStore {
    /// The conversations in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { conversations: Collection::new(Arc::clone(&backend)), spent: Collection::new(backend) }
    }

    /// Writes a conversation; see the module `store` for versions.
    pub async fn save(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        // A conversation never changes its user.
        if conversation.version > 0 && self.owner_of(conversation.id).await? != Some(conversation.user) {
            return Err(StoreError::Conflict);
        }
        Ok(self.conversations.save(conversation, &[]).await?)
    }

    /// A conversation.
    pub async fn get(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.conversations.get(id).await
    }

    /// Whose it is.
    pub async fn owner_of(&self, id: ConversationId) -> Result<Option<UserId>, StoreError> {
        Ok(self.get(id).await?.map(|conversation| conversation.user))
    }

    /// The user's most recently used conversation.
    pub async fn newest(&self, user: UserId) -> Result<Option<ConversationId>, StoreError> {
        Ok(self.conversations.first(USER.of(user)).await?.map(|conversation| conversation.id))
    }

    /// A user's conversations, the most recently used first.
    pub async fn of_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Page<Summary>, StoreError> {
        let Page { rows, total } = self.conversations.page(USER.of(user).skip(skip).limit(limit)).await?;
        Ok(Page { rows: rows.iter().map(Conversation::summary).collect(), total })
    }

    /// Deletes a conversation of this user; returns whether it was there.
    pub async fn delete(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        match self.owner_of(id).await? {
            Some(owner) if owner == user => self.conversations.delete(id).await,
            _ => Ok(false),
        }
    }

    /// Deletes all but a user's newest `keep`, a bounded number at once; returns how many.
    pub async fn keep_newest(&self, user: UserId, keep: u32) -> Result<u64, StoreError> {
        self.conversations.delete_found(USER.of(user).skip(keep.into()).limit(AT_ONCE)).await
    }

    /// A user's conversations with their messages, the most recently used first.
    pub async fn whole(&self, user: UserId, skip: u64, limit: u32) -> Result<Vec<Conversation>, StoreError> {
        self.conversations.find(USER.of(user).skip(skip).limit(limit)).await
    }

    /// Deletes all conversations of a user.
    pub async fn delete_of(&self, user: UserId) -> Result<(), StoreError> {
        while self.conversations.delete_found(USER.of(user).limit(AT_ONCE)).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }

    /// The days on which a user spent tokens, with how many.
    pub async fn spent_by(&self, user: UserId) -> Result<Vec<(Day, u64)>, StoreError> {
        let spent = self.spent.find(TokensSpent::of_user(user)).await?;
        Ok(spent.iter().map(|spent| (spent.day, spent.tokens)).collect())
    }

    /// Deletes the numbers of tokens that a user spent.
    pub async fn forget_spent_by(&self, user: UserId) -> Result<(), StoreError> {
        let found = TokensSpent::of_user(user).limit(AT_ONCE);
        while self.spent.delete_found(found.clone()).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }

    /// Deletes up to `limit` conversations unused since `before`; returns how many.
    pub async fn expire(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.conversations.delete_found(AGE.all().below(before).limit(limit)).await
    }

    /// The tokens that a user spent on a day.
    pub async fn spent(&self, user: UserId, day: Day) -> Result<u64, StoreError> {
        Ok(self.spent.get(TokensSpent::id_of(user, day)).await?.map_or(0, |spent| spent.tokens))
    }

    /// Adds to the tokens that a user spent on a day.
    pub async fn spend(&self, user: UserId, day: Day, tokens: u64) -> Result<(), StoreError> {
        let none = TokensSpent { user, day, tokens: 0, version: 0 };
        let spent = self.spent.upsert(none, |spent| {
            spent.tokens = spent.tokens.saturating_add(tokens);
            Some(vec![])
        });
        Ok(spent.await.map(drop)?)
    }

    /// Deletes up to `limit` sums of days before this one; returns how many.
    pub async fn forget_spent(&self, before: Day, limit: u32) -> Result<u64, StoreError> {
        self.spent.delete_found(DAY.all().below(before).limit(limit)).await
    }
}
