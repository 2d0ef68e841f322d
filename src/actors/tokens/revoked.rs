//! The tokens that were revoked by a logout.
//!
//! A process with a store of its own keeps all of them in memory. Where several nodes share
//! a store, a node keeps those that it has seen, and looks up the others ([`super::redis_tokens`]).
//!
//! **Invariant:** once a node knows that a token is revoked, the token stays revoked.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};

use super::redis_tokens::RedisRevocations;
use crate::{
    domain::Timestamp,
    integrations::redis::Redis,
    store::{AccountStore, StoreError, accounts::BLOCK_PREFIX},
};

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
    purge_at: Mutex<usize>,
    shared: Option<Arc<RedisRevocations>>,
    on_revoked: OnceLock<Listener>,
    on_blocked: OnceLock<Listener>,
}

/// Called with the id of a revoked token or of a blocked user.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// From how many entries on expired ones are removed.
const PURGE_FROM: usize = 1024;

impl Default for RevokedTokens {
    fn default() -> Self {
        Self {
            ends: RwLock::default(),
            blocked: RwLock::default(),
            purge_at: Mutex::new(PURGE_FROM),
            shared: None,
            on_revoked: OnceLock::new(),
            on_blocked: OnceLock::new(),
        }
    }
}

impl RevokedTokens {
    /// For a process that does not share its store. `stored` are the stored token ids, each with its expiry in seconds.
    #[must_use]
    pub fn load(stored: impl IntoIterator<Item = (String, i64)>) -> Self {
        let (mut ends, mut blocked) = (HashMap::new(), HashSet::new());
        for (jti, exp) in stored {
            match jti.strip_prefix(BLOCK_PREFIX) {
                Some(user) => drop(blocked.insert(user.to_owned())),
                None => drop(ends.insert(jti, exp)),
            }
        }
        let purge_at = Mutex::new(PURGE_FROM.max(ends.len().saturating_mul(2)));
        Self { ends: RwLock::new(ends), blocked: RwLock::new(blocked), purge_at, ..Self::default() }
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

    /// Calls `listener` with each user who becomes blocked on this node. Only the first listener is used.
    pub fn on_blocked(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let _first_stays = self.on_blocked.set(Box::new(listener));
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

    /// Whether any node has revoked a token.
    ///
    /// # Errors
    /// When neither Redis nor the store can be read.
    pub async fn is_revoked(&self, jti: &str, exp: i64) -> Result<bool, StoreError> {
        let Some(shared) = self.shared.as_ref().filter(|_| !self.contains(jti)) else {
            return Ok(self.contains(jti));
        };
        let revoked = shared.is_revoked(jti).await?;
        if revoked {
            self.insert(jti, exp, Timestamp::now());
        }
        Ok(revoked)
    }

    /// What this node knows about a token, whose user may be blocked.
    #[must_use]
    pub fn status_of(&self, jti: &str, user: &str) -> TokenStatus {
        if self.blocks(user) { TokenStatus::Revoked } else { self.status(jti) }
    }

    /// Whether this node knows that a user is blocked.
    #[must_use]
    pub fn blocks(&self, user: &str) -> bool {
        let blocked = self.blocked.read();
        !blocked.is_empty() && blocked.contains(user)
    }

    /// Whether any node has revoked a token or blocked its user. A block on another
    /// node is known here after two seconds at the latest.
    ///
    /// # Errors
    /// As [`RevokedTokens::is_revoked`].
    pub async fn is_revoked_for(&self, jti: &str, exp: i64, user: &str) -> Result<bool, StoreError> {
        if self.status_of(jti, user) == TokenStatus::Revoked || self.is_revoked(jti, exp).await? {
            return Ok(true);
        }
        match &self.shared {
            Some(shared) => shared.is_blocked(user).await,
            None => Ok(false),
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
        if let Some(listener) = self.on_blocked.get().filter(|_| blocked) {
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
