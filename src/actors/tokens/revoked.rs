//! The tokens that were revoked by a logout.
//!
//! A process with a store of its own keeps all of them in memory. Where several nodes share
//! a store, a node keeps those that it has seen, and looks up the others ([`super::redis_tokens`]).
//!
//! **Invariant:** once a node knows that a token is revoked, the token stays revoked.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use parking_lot::{Mutex, RwLock};

use super::redis_tokens::RedisRevocations;
use crate::{
    domain::Timestamp,
    integrations::redis::Redis,
    store::{
        AccountStore, StoreError,
        accounts::{BLOCK_PREFIX, ENDED_PREFIX, ended_before},
    },
};

/// What identifies a token to the list.
#[derive(Debug, Clone, Copy)]
pub struct TokenId<'a> {
    pub jti: &'a str,
    /// The user's id, in hexadecimal.
    pub user: &'a str,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// When it expires, in seconds.
    pub exp: i64,
}

/// What this node knows about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// The token is not revoked.
    Valid,
    /// The token is revoked.
    Revoked,
    /// Another node may have revoked it; [`RevokedTokens::is_revoked`] looks it up.
    Unknown,
}

/// The ids of revoked tokens, each until the token would have expired.
pub struct RevokedTokens {
    ends: RwLock<HashMap<String, i64>>,
    /// The users whom this node knows to be blocked; their tokens are not accepted.
    blocked: RwLock<HashSet<String>>,
    /// The users whose tokens were ended, and from when on new ones are valid, in seconds.
    from: RwLock<HashMap<String, i64>>,
    purge_at: Mutex<usize>,
    shared: Option<Arc<RedisRevocations>>,
    on_revoked: OnceLock<Listener>,
    on_user_revoked: OnceLock<Listener>,
}

/// Called with the id of a revoked token, or of a user whose tokens are not accepted any more.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// From how many entries on expired ones are removed.
const PURGE_FROM: usize = 1024;

impl Default for RevokedTokens {
    fn default() -> Self {
        Self {
            ends: RwLock::default(),
            blocked: RwLock::default(),
            from: RwLock::default(),
            purge_at: Mutex::new(PURGE_FROM),
            shared: None,
            on_revoked: OnceLock::new(),
            on_user_revoked: OnceLock::new(),
        }
    }
}

impl RevokedTokens {
    /// For a process that does not share its store. `stored` are the stored token ids, each with its expiry in seconds.
    #[must_use]
    pub fn load(stored: impl IntoIterator<Item = (String, i64)>) -> Self {
        let (mut ends, mut blocked, mut from) = (HashMap::new(), HashSet::new(), HashMap::new());
        for (jti, exp) in stored {
            if let Some(user) = jti.strip_prefix(BLOCK_PREFIX) {
                blocked.insert(user.to_owned());
            } else if let Some(user) = jti.strip_prefix(ENDED_PREFIX) {
                from.insert(user.to_owned(), ended_before(exp));
            } else {
                ends.insert(jti, exp);
            }
        }
        let purge_at = Mutex::new(PURGE_FROM.max(ends.len().saturating_mul(2)));
        Self {
            ends: RwLock::new(ends),
            blocked: RwLock::new(blocked),
            from: RwLock::new(from),
            purge_at,
            ..Self::default()
        }
    }

    /// For a node that shares its store with others. Must be called within a
    /// runtime, on which the copy in Redis, if any, is synchronized with the store.
    #[must_use]
    pub fn shared(store: AccountStore, redis: Option<Redis>) -> Self {
        Self { shared: Some(RedisRevocations::start(store, redis)), ..Self::default() }
    }

    /// Revokes a token on this node; `exp` is its expiry in seconds.
    pub fn insert(&self, jti: &str, exp: i64, now: Timestamp) {
        let mut ends = self.ends.write();
        ends.insert(jti.to_owned(), exp);
        let mut purge_at = self.purge_at.lock();
        if ends.len() >= *purge_at {
            // A minute more than the leeway of any clock.
            let over = now.as_second().saturating_sub(60);
            ends.retain(|_, exp| *exp > over);
            ends.shrink_to(PURGE_FROM);
            *purge_at = PURGE_FROM.max(ends.len().saturating_mul(2));
        }
        drop((ends, purge_at));
        if let Some(listener) = self.on_revoked.get() {
            listener(jti);
        }
    }

    /// Calls `listener` with each token that becomes revoked on this node. Only the first listener is used.
    pub fn on_revoked(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let _first_stays = self.on_revoked.set(Box::new(listener));
    }

    /// Calls `listener` with each user who becomes blocked on this node, or whose tokens are ended. Only the first
    /// listener is used.
    pub fn on_user_revoked(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let _first_stays = self.on_user_revoked.set(Box::new(listener));
    }

    /// Revokes a token on every node; the store must have it as revoked already. When this returns,
    /// no node accepts it any more.
    pub async fn revoke(&self, jti: &str, exp: i64, now: Timestamp) {
        self.insert(jti, exp, now);
        if let Some(shared) = &self.shared {
            shared.revoke(jti, exp).await;
        }
    }

    /// What this node knows about a token.
    #[must_use]
    pub fn status(&self, jti: &str) -> TokenStatus {
        match (self.contains(jti), &self.shared) {
            (true, _) => TokenStatus::Revoked,
            (false, None) => TokenStatus::Valid,
            (false, Some(_)) => TokenStatus::Unknown,
        }
    }

    /// What this node knows about a token, whose user may be blocked.
    #[must_use]
    pub fn status_of(&self, token: TokenId<'_>) -> TokenStatus {
        if self.refuses(token) { TokenStatus::Revoked } else { self.status(token.jti) }
    }

    /// Whether this node knows that a token is revoked, its user is blocked, or the user's tokens were ended.
    #[must_use]
    pub fn refuses(&self, token: TokenId<'_>) -> bool {
        let is_ended = || {
            let from = self.from.read();
            !from.is_empty() && from.get(token.user).is_some_and(|from| token.iat < *from)
        };
        self.contains(token.jti) || self.blocks(token.user) || is_ended()
    }

    /// Whether this node knows that a user is blocked.
    #[must_use]
    pub fn blocks(&self, user: &str) -> bool {
        let blocked = self.blocked.read();
        !blocked.is_empty() && blocked.contains(user)
    }

    /// Whether any node has revoked a token, ended all tokens of its user, or blocked the user. A block on another
    /// node is known here after two seconds at the latest.
    ///
    /// # Errors
    /// When neither Redis nor the store can be read.
    pub async fn is_revoked(&self, token: TokenId<'_>) -> Result<bool, StoreError> {
        if self.refuses(token) {
            return Ok(true);
        }
        let Some(shared) = &self.shared else { return Ok(false) };
        let found = shared.look_up(token.jti, token.user).await?;
        if found.revoked {
            self.insert(token.jti, token.exp, Timestamp::now());
        }
        if let Some(from) = found.tokens_from {
            self.end_here(token.user, from);
        }
        Ok(found.revoked || self.refuses(token) || shared.is_blocked(token.user).await?)
    }

    /// Ends the tokens of a user that were issued before `from`, in seconds, on every node; the store must have it
    /// already. When this returns, no node accepts them any more.
    pub async fn end_tokens(&self, user: &str, from: i64) {
        self.end_here(user, from);
        if let Some(shared) = &self.shared {
            shared.end_tokens(user, from).await;
        }
    }

    /// As [`RevokedTokens::end_tokens`], on this node.
    pub fn end_here(&self, user: &str, from: i64) {
        let mut known = self.from.write();
        let is_new = known.get(user).is_none_or(|known| *known < from);
        if is_new {
            known.insert(user.to_owned(), from);
        }
        drop(known);
        if let Some(listener) = self.on_user_revoked.get().filter(|_| is_new) {
            listener(user);
        }
    }

    /// Blocks or unblocks a user, whose tokens are then refused or accepted; the store must have it already.
    pub fn block(&self, user: &str, blocked: bool) {
        match blocked {
            true => drop(self.blocked.write().insert(user.to_owned())),
            false => drop(self.blocked.write().remove(user)),
        }
        if let Some(shared) = &self.shared {
            shared.recheck(user);
        }
        if let Some(listener) = self.on_user_revoked.get().filter(|_| blocked) {
            listener(user);
        }
    }

    /// Whether this node knows that the token is revoked.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        let ends = self.ends.read();
        !ends.is_empty() && ends.contains_key(jti)
    }

    /// The number of known revoked tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.read().len()
    }

    /// Whether no revoked token is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How often a node looks for tokens that were ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The largest clock difference between nodes, in seconds.
const CLOCKS_APART: i64 = 30;

/// Ends on this node what the store has as ended: by other nodes, by the command line, or by a request whose client went
/// before it was answered. So sockets are closed without an event of their client. Ends when the list is dropped.
pub async fn follow(revoked: Weak<RevokedTokens>, store: AccountStore) {
    let mut since = Timestamp::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(revoked) = revoked.upgrade() else { return };
        let now = Timestamp::now();
        let from = Timestamp::from_second(since.as_second().saturating_sub(CLOCKS_APART)).unwrap_or_default();
        match tokio::time::timeout(LOOK_EVERY * 4, store.killed_since(from)).await {
            Ok(Ok(killed)) => {
                for (key, expires_at) in killed {
                    if let Some(user) = key.strip_prefix(ENDED_PREFIX) {
                        revoked.end_here(user, ended_before(expires_at.as_second()));
                    } else if !key.starts_with(BLOCK_PREFIX) && !revoked.contains(&key) {
                        revoked.insert(&key, expires_at.as_second(), now);
                    }
                }
                since = now;
            }
            Ok(Err(error)) => tracing::debug!(%error, "could not read the tokens that other nodes have ended"),
            Err(_) => tracing::debug!("could not read the tokens that other nodes have ended in time"),
        }
    }
}
