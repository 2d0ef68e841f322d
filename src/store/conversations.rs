//! Conversations with the assistant, and what each user spent on a model by day.
//!
//! **Invariant:** a save with another version than the stored one changes nothing, so that a
//! conversation which was deleted stays so; what was spent is only ever added to.

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{
    Timestamp,
    conversation::{Conversation, Summary},
    ids::{ConversationId, UserId},
};

/// A day: how many have passed since 1970, in UTC.
pub type Day = i64;

/// The day of a moment.
#[must_use]
pub fn day_of(time: Timestamp) -> Day {
    time.as_second().div_euclid(24 * 60 * 60)
}

/// Keeps conversations.
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Writes a conversation; see the module above for versions.
    async fn save(&self, conversation: &Conversation) -> Result<u64, StoreError>;

    /// A conversation.
    async fn get(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Whose it is.
    async fn owner_of(&self, id: ConversationId) -> Result<Option<UserId>, StoreError>;

    /// The user's conversation in which something was said last.
    async fn newest(&self, user: UserId) -> Result<Option<ConversationId>, StoreError>;

    /// A user's conversations, the one of the latest word first.
    async fn of_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Page<Summary>, StoreError>;

    /// Deletes a conversation of this user; returns whether it was there.
    async fn delete(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError>;

    /// Deletes all but the newest `keep` of a user, some at once; returns how many.
    async fn keep_newest(&self, user: UserId, keep: u32) -> Result<u64, StoreError>;

    /// Deletes up to `limit` in which nothing was said since `before`; returns how many.
    async fn expire(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// The tokens that a user spent on a day.
    async fn spent(&self, user: UserId, day: Day) -> Result<u64, StoreError>;

    /// Adds to what a user spent on a day.
    async fn spend(&self, user: UserId, day: Day, tokens: u64) -> Result<(), StoreError>;

    /// Forgets up to `limit` sums of days before this one; returns how many.
    async fn forget_spent(&self, before: Day, limit: u32) -> Result<u64, StoreError>;
}
