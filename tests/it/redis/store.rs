//! The nodes' common store, which counts lookups of tokens.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use microbazaar::{
    domain::event::Envelope,
    store::{
        StoreError,
        accounts::BLOCK_PREFIX,
        document::{Backend, Change, DocumentId, Query, Raw, Refused, Spec, Write},
    },
};

pub struct Counting {
    store: Arc<dyn Backend>,
    asked: AtomicU64,
}

impl Counting {
    pub fn over(store: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { store, asked: AtomicU64::new(0) })
    }

    /// How often it was asked whether a token is dead.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Backend for Counting {
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError> {
        // In between it is asked whether a user is blocked, once in two seconds.
        let is_token = |id: &DocumentId| matches!(id, DocumentId::Text(jti) if !jti.starts_with(BLOCK_PREFIX));
        if of.collection == "dead_tokens" && ids.iter().any(is_token) {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        self.store.get(of, ids).await
    }

    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError> {
        self.store.find(of, query).await
    }

    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        self.store.count(of, query).await
    }

    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused> {
        self.store.save(of, write).await
    }

    async fn delete(
        &self,
        of: &'static Spec,
        id: DocumentId,
        version: Option<u64>,
        events: &[Envelope],
    ) -> Result<bool, StoreError> {
        self.store.delete(of, id, version, events).await
    }

    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        self.store.delete_found(of, query).await
    }

    async fn changes(&self, of: &'static Spec, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.store.changes(of, after, limit).await
    }
}
