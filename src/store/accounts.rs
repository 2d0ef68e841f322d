//! Users, and the tokens that are dead before their time.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Timestamp,
    event::Envelope,
    ids::UserId,
    user::{Role, User},
};

/// What the keys of blocked users begin with among the dead tokens.
pub const BLOCK_PREFIX: &str = "user:";
/// Sorts behind all of them.
pub(super) const BLOCKS_END: &str = "user;";

/// Under which key a blocked user stands among the dead tokens.
#[must_use]
pub fn block_key(user: &str) -> String {
    format!("{BLOCK_PREFIX}{user}")
}

/// The user of such a key.
pub(super) fn blocked_user(key: &str) -> Option<UserId> {
    key.strip_prefix(BLOCK_PREFIX)?.parse().ok()
}

/// Keeps users and dead tokens.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Writes a user; see the module for versions.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] with `email` or `username` when another user has that
    /// form as [`crate::domain::identity`] makes it; `Conflict`.
    async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, StoreError>;

    /// The user of an id.
    async fn get(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user of a folded e-mail address.
    async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError>;

    /// The user of a folded user name.
    async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError>;

    /// The users of a role, by id, at most `limit`.
    async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Remembers that the token with the id `jti` is dead, until it would have expired anyway.
    async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError>;

    /// The dead tokens that have not expired at `now`; forgets the others.
    async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError>;

    /// Whether the token with the id `jti` is dead. Sees every kill that was answered, by
    /// whichever node.
    async fn is_dead(&self, jti: &str) -> Result<bool, StoreError>;

    /// The users who are blocked: those whose `user:<id>` is among the dead tokens.
    async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError>;

    /// The dead tokens that were killed at `since` or later and have not expired; may give
    /// older ones as well.
    async fn killed_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError>;
}
