//! Users, and the tokens that were ended before they expired.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Document, Find, Index, NoUniqueKey, SaveError, key, stored_as},
    sessions::SessionStore,
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        event::Envelope,
        identity::username_key,
        ids::UserId,
        user::{BEHIND_NO_ADDRESS, NO_ADDRESS, Role, User},
    },
};

/// The prefix of blocked users' keys among the dead tokens.
pub const BLOCK_PREFIX: &str = "user:";
/// Sorts after all of these keys.
const BLOCKS_END: &str = "user;";

/// The prefix of the keys of users all of whose earlier tokens were ended.
pub const ENDED_PREFIX: &str = "before:";
/// How long it is kept that a user's tokens were ended, in seconds: longer than tokens of any issuer are valid.
const ENDED_KEPT: i64 = 400 * 24 * 60 * 60;

/// How many dead tokens are deleted at once.
const AT_ONCE: u32 = 500;
/// How often the write of a token's end is retried after a conflict.
const TRIES: u32 = 3;

/// The key of a blocked user among the dead tokens.
#[must_use]
pub fn block_key(user: &str) -> String {
    format!("{BLOCK_PREFIX}{user}")
}

/// The key of a user whose earlier tokens were ended, among the dead tokens.
#[must_use]
pub fn ended_key(user: &str) -> String {
    format!("{ENDED_PREFIX}{user}")
}

/// From when on a user's tokens are valid, in seconds, by the expiry of that key in seconds.
#[must_use]
pub const fn ended_before(expires_at: i64) -> i64 {
    expires_at.saturating_sub(ENDED_KEPT)
}

/// The expiry of that key in seconds.
#[must_use]
pub const fn ended_expiry(from: i64) -> i64 {
    from.saturating_add(ENDED_KEPT)
}

/// The user of such a key.
fn blocked_user(key: &str) -> Option<UserId> {
    key.strip_prefix(BLOCK_PREFIX)?.parse().ok()
}

/// The unique keys of a user, in the form in which [`crate::domain::identity`] compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKey {
    /// The e-mail address.
    Email,
    /// The user name.
    Username,
}

const EMAIL: Index<User> = Index::unique("email", UserKey::Email, |user| key(&user.email_key()));
const USERNAME: Index<User> = Index::unique("username", UserKey::Username, |user| key(&username_key(&user.username)));
const ROLE: Index<User> = Index::new("role", |user| key(user.role.as_str()));

impl Document for User {
    type Unique = UserKey;

    const COLLECTION: &'static str = "users";
    const SERVICE: Service = Service::Auth;
    const INDEXES: &'static [Index<Self>] = &[EMAIL, USERNAME, ROLE];
    const PUBLISHES: bool = true;

    stored_as!(self, UserId = self.id, self.version);
}

/// A token that was ended before it expired, or a blocked user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadToken {
    jti: String,
    expires_at: Timestamp,
    killed_at: Timestamp,
    #[serde(skip)]
    version: u64,
}

const EXPIRY: Index<DeadToken> = Index::new("expiry", |token| key(token.expires_at));
const KILLED: Index<DeadToken> = Index::new("killed", |token| key(token.killed_at));

impl Document for DeadToken {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "dead_tokens";
    const SERVICE: Service = Service::Auth;
    const INDEXES: &'static [Index<Self>] = &[EXPIRY, KILLED];

    stored_as!(self, String = self.jti.clone(), self.version);
}

/// Keeps users and dead tokens.
#[derive(Clone)]
pub struct AccountStore {
    users: Collection<User>,
    tokens: Collection<DeadToken>,
    sessions: SessionStore,
}

impl AccountStore {
    /// The users and dead tokens in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let (users, tokens) = (Collection::new(Arc::clone(&backend)), Collection::new(Arc::clone(&backend)));
        Self { users, tokens, sessions: SessionStore::new(backend) }
    }

    #[must_use]
    pub const fn sessions(&self) -> &SessionStore {
        &self.sessions
    }

    /// Writes a user; see the module `store` for versions.
    ///
    /// # Errors
    /// [`SaveError::Duplicate`] when another user has the e-mail address or the user name in the form in which
    /// [`crate::domain::identity`] compares it; [`StoreError::Conflict`].
    pub async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, SaveError<UserKey>> {
        self.users.save(user, events).await
    }

    /// The user of an id.
    pub async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.users.get(id).await
    }

    /// The user of a folded e-mail address; no deleted one.
    pub async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError> {
        Ok(self.users.first(EMAIL.of(folded)).await?.filter(|user| !user.is_deleted()))
    }

    /// The user of a folded user name; no deleted one.
    pub async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError> {
        Ok(self.users.first(USERNAME.of(folded)).await?.filter(|user| !user.is_deleted()))
    }

    /// The users of a role, by id, at most `limit`.
    pub async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError> {
        self.users.find(ROLE.of(role.as_str()).limit(limit)).await
    }

    /// Users with an id below `before`, newest first, at most `limit`; for admins.
    pub async fn users(&self, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.users.find(Find::by_id().before(before).reversed().limit(limit)).await
    }

    /// Users without an e-mail address because an older account has it, at most `limit`.
    pub async fn without_address(&self, limit: u32) -> Result<Vec<User>, StoreError> {
        self.users.find(EMAIL.all().from(NO_ADDRESS).below(BEHIND_NO_ADDRESS).limit(limit)).await
    }

    /// Records that the token with the id `jti` is dead, until it would have expired.
    pub async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let killed = DeadToken { jti: jti.to_owned(), expires_at, killed_at: Timestamp::now(), version: 0 };
        for _ in 0..TRIES {
            match self.tokens.save(&killed, &[]).await {
                Err(SaveError::Store(StoreError::Conflict)) => {}
                made => return Ok(made.map(|_| ())?),
            }
            let again = self.tokens.change(jti.to_owned(), |token| {
                token.expires_at = token.expires_at.max(expires_at);
                token.killed_at = token.killed_at.max(killed.killed_at);
                Some(())
            });
            if again.await?.is_some() {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    /// Ends all tokens of a user that were issued before `from`, in seconds.
    pub async fn end_tokens(&self, user: UserId, from: i64) -> Result<(), StoreError> {
        let kept_until = Timestamp::from_second(ended_expiry(from)).unwrap_or(Timestamp::MAX);
        self.kill_token(&ended_key(&user.to_hex()), kept_until).await
    }

    /// Whether the token with the id `jti` is dead, and from when on the user's tokens are valid, in seconds, if earlier
    /// ones were ended.
    pub async fn ended(&self, jti: &str, user: &str) -> Result<(bool, Option<i64>), StoreError> {
        let (jti, key) = (jti.to_owned(), ended_key(user));
        let found = self.tokens.many([jti.clone(), key.clone()]).await?;
        let of = |key: &str| found.iter().find(|token| token.jti == *key);
        Ok((of(&jti).is_some(), of(&key).map(|ended| ended_before(ended.expires_at.as_second()))))
    }

    /// Deletes the record that the token with the id `jti` is dead.
    pub async fn revive_token(&self, jti: &str) -> Result<(), StoreError> {
        self.tokens.delete(jti.to_owned()).await.map(|_| ())
    }

    /// The dead tokens that have not expired at `now`; deletes the others.
    pub async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.forget_expired(now).await?;
        Ok(self.tokens.find(Find::by_id()).await?.into_iter().map(|token| (token.jti, token.expires_at)).collect())
    }

    /// Deletes the dead tokens that have expired at `now`.
    pub async fn forget_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        while self.tokens.delete_found(EXPIRY.due(now).limit(AT_ONCE)).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }

    /// Whether the token with the id `jti` is dead. Sees every write that any node has confirmed.
    pub async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.tokens.get(jti.to_owned()).await?.is_some())
    }

    /// The users who are blocked: those whose `user:<id>` is among the dead tokens.
    pub async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError> {
        let (after, before) = (BLOCK_PREFIX.to_owned(), BLOCKS_END.to_owned());
        let blocked = self.tokens.find(Find::by_id().after(Some(after)).before(Some(before))).await?;
        Ok(blocked.iter().filter_map(|token| blocked_user(&token.jti)).collect())
    }

    /// The dead tokens that were killed at `since` or later and have not expired.
    pub async fn killed_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let now = Timestamp::now();
        let killed = self.tokens.find(KILLED.all().from(since)).await?.into_iter();
        Ok(killed.filter(|token| token.expires_at > now).map(|token| (token.jti, token.expires_at)).collect())
    }
}
