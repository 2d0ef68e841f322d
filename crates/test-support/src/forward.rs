//! A double of a database: what it does around each call is a test's, the rest is the database's.

use std::sync::Arc;

use async_trait::async_trait;
use microbazaar::{
    domain::event::Envelope,
    store::{
        StoreError,
        document::{Backend, Body, Change, DocumentId, Query, Raw, Refused, Spec, Write},
    },
};

/// What is asked of a database.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    Get(&'static Spec, &'a [DocumentId]),
    Find(&'static Spec),
    Save(&'static Spec, &'a dyn Body),
    Delete(&'static Spec),
    Changes(&'static Spec),
}

/// What is done around each call.
pub trait Around: Send + Sync + 'static {
    /// Awaits the call, or does not.
    fn around<T: Send, E: From<StoreError> + Send>(
        &self,
        asked: Asked<'_>,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> impl Future<Output = Result<T, E>> + Send;
}

/// A database, and what is done around its calls.
pub struct Forward<A> {
    around: Arc<A>,
    to: Arc<dyn Backend>,
}

impl<A: Around> Forward<A> {
    pub fn backend(around: &Arc<A>, to: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Self { around: Arc::clone(around), to })
    }
}

#[async_trait]
impl<A: Around> Backend for Forward<A> {
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError> {
        self.around.around(Asked::Get(of, &ids.clone()), self.to.get(of, ids)).await
    }

    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError> {
        self.around.around(Asked::Find(of), self.to.find(of, query)).await
    }

    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        self.around.around(Asked::Find(of), self.to.count(of, query)).await
    }

    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused> {
        self.around.around(Asked::Save(of, write.body), self.to.save(of, write)).await
    }

    async fn delete(
        &self,
        of: &'static Spec,
        id: DocumentId,
        version: Option<u64>,
        events: &[Envelope],
    ) -> Result<bool, StoreError> {
        self.around.around(Asked::Delete(of), self.to.delete(of, id, version, events)).await
    }

    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        self.around.around(Asked::Delete(of), self.to.delete_found(of, query)).await
    }

    async fn changes(&self, of: &'static Spec, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.around.around(Asked::Changes(of), self.to.changes(of, after, limit)).await
    }
}
