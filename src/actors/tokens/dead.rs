//! The tokens that a logout has ended.
//!
//! A process that keeps its documents for itself remembers all of them. Where several nodes share
//! a store, a node remembers those that it saw, and asks about the others ([`super::shared`]).
//!
//! **Invariant:** a token that this node once knew to be dead stays dead.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};

use super::shared::SharedDead;
use crate::{
    domain::Timestamp,
    integrations::redis::Redis,
    store::{AccountStore, StoreError, accounts::BLOCK_PREFIX},
};

/// What this node knows of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No logout has ended it.
    Alive,
    /// A logout has ended it.
    Dead,
    /// Another node may have ended it; [`DeadTokens::is_dead`] finds out.
    Unknown,
}

/// The ids of tokens that were ended before their time, until that time.
pub struct DeadTokens {
    ends: RwLock<HashMap<String, i64>>,
    /// Users of whom no token is taken, as far as this node knows.
    blocked: RwLock<HashSet<String>>,
    purge_at: Mutex<usize>,
    shared: Option<Arc<SharedDead>>,
    on_death: OnceLock<OnDeath>,
    on_block: OnceLock<OnDeath>,
}

/// Is told of the id of a token that has ended, or of a user who is blocked.
type OnDeath = Box<dyn Fn(&str) + Send + Sync>;

/// How many are kept before those past their time are first looked for.
const PURGE_FROM: usize = 1024;

impl Default for DeadTokens {
    fn default() -> Self {
        Self {
            ends: RwLock::default(),
            blocked: RwLock::default(),
            purge_at: Mutex::new(PURGE_FROM),
            shared: None,
            on_death: OnceLock::new(),
            on_block: OnceLock::new(),
        }
    }
}

impl DeadTokens {
    /// Of a process that is alone with its store, with those that are stored: token ids and when
    /// each ends by itself, in seconds.
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

    /// Of a node that shares its store with others, and perhaps a Redis. Must be called within a
    /// runtime, on which Redis is kept in step with the store.
    #[must_use]
    pub fn shared(store: AccountStore, redis: Option<Redis>) -> Self {
        Self { shared: Some(SharedDead::start(store, redis)), ..Self::default() }
    }

    /// Ends a token on this node that would have lived until `exp` (seconds).
    pub fn insert(&self, jti: &str, exp: i64, now: Timestamp) {
        let mut ends = self.ends.write();
        ends.insert(jti.to_owned(), exp);
        let mut purge_at = self.purge_at.lock();
        if ends.len() >= *purge_at {
            // A minute more than any clock's leeway.
            let over = now.as_second().saturating_sub(60);
            ends.retain(|_, exp| *exp > over);
            ends.shrink_to(PURGE_FROM);
            *purge_at = PURGE_FROM.max(ends.len().saturating_mul(2));
        }
        drop((ends, purge_at));
        if let Some(told) = self.on_death.get() {
            told(jti);
        }
    }

    /// Has `told` called with each token that this node hears the end of; the first one stays.
    pub fn on_death(&self, told: impl Fn(&str) + Send + Sync + 'static) {
        let _first_stays = self.on_death.set(Box::new(told));
    }

    /// Has `told` called with each user who this node hears is blocked; the first one stays.
    pub fn on_block(&self, told: impl Fn(&str) + Send + Sync + 'static) {
        let _first_stays = self.on_block.set(Box::new(told));
    }

    /// Ends a token on every node; it must be in the store as dead already. When this returns,
    /// no node takes it any more.
    pub async fn spread(&self, jti: &str, exp: i64, now: Timestamp) {
        self.insert(jti, exp, now);
        if let Some(shared) = &self.shared {
            shared.spread(jti, exp).await;
        }
    }

    /// What this node knows of a token.
    #[must_use]
    pub fn standing(&self, jti: &str) -> Standing {
        match (self.contains(jti), &self.shared) {
            (true, _) => Standing::Dead,
            (false, None) => Standing::Alive,
            (false, Some(_)) => Standing::Unknown,
        }
    }

    /// Whether a token was ended, on whichever node.
    ///
    /// # Errors
    /// When neither Redis nor the store can tell.
    pub async fn is_dead(&self, jti: &str, exp: i64) -> Result<bool, StoreError> {
        let Some(shared) = self.shared.as_ref().filter(|_| !self.contains(jti)) else {
            return Ok(self.contains(jti));
        };
        let dead = shared.is_dead(jti).await?;
        if dead {
            self.insert(jti, exp, Timestamp::now());
        }
        Ok(dead)
    }

    /// What this node knows of a token of a user, who may be blocked.
    #[must_use]
    pub fn standing_of(&self, jti: &str, user: &str) -> Standing {
        if self.blocks(user) { Standing::Dead } else { self.standing(jti) }
    }

    /// Whether this node knows that a user is blocked.
    #[must_use]
    pub fn blocks(&self, user: &str) -> bool {
        let blocked = self.blocked.read();
        !blocked.is_empty() && blocked.contains(user)
    }

    /// Whether a token was ended, or its user blocked, on whichever node. Of a block on another
    /// node this one knows after two seconds at most.
    ///
    /// # Errors
    /// As [`DeadTokens::is_dead`].
    pub async fn is_dead_of(&self, jti: &str, exp: i64, user: &str) -> Result<bool, StoreError> {
        if self.standing_of(jti, user) == Standing::Dead || self.is_dead(jti, exp).await? {
            return Ok(true);
        }
        match &self.shared {
            Some(shared) => shared.is_blocked(user).await,
            None => Ok(false),
        }
    }

    /// Takes no token of a user any more, or takes them again; the store knows already.
    pub fn block(&self, user: &str, blocked: bool) {
        match blocked {
            true => drop(self.blocked.write().insert(user.to_owned())),
            false => drop(self.blocked.write().remove(user)),
        }
        if let Some(shared) = &self.shared {
            shared.look_again(user);
        }
        if let Some(told) = self.on_block.get().filter(|_| blocked) {
            told(user);
        }
    }

    /// Whether this node knows that the token was ended.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        let ends = self.ends.read();
        !ends.is_empty() && ends.contains_key(jti)
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.read().len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
