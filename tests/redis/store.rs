//! The nodes' common store, which counts how often it is asked about a token.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use microbazaar::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::UserId,
        user::{Role, User},
    },
    store::{AccountStore, StoreError, accounts::BLOCK_PREFIX},
};

pub struct Counting {
    store: Arc<dyn AccountStore>,
    asked: AtomicU64,
}

impl Counting {
    pub fn over(store: Arc<dyn AccountStore>) -> Arc<Self> {
        Arc::new(Self { store, asked: AtomicU64::new(0) })
    }

    /// How often it was asked whether a token is dead.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl AccountStore for Counting {
    async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, StoreError> {
        self.store.save(user, events).await
    }

    async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.store.get(id).await
    }

    async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError> {
        self.store.by_email(folded).await
    }

    async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError> {
        self.store.by_username(folded).await
    }

    async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError> {
        self.store.of_role(role, limit).await
    }

    async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        self.store.kill_token(jti, expires_at).await
    }

    async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.store.dead_tokens(now).await
    }

    async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        // Whether a user is blocked is asked in between, once in two seconds.
        if !jti.starts_with(BLOCK_PREFIX) {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        self.store.is_dead(jti).await
    }

    async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError> {
        self.store.blocked_users().await
    }

    async fn killed_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.store.killed_since(since).await
    }
}
