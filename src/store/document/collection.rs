//! Documents of one type.

use std::{marker::PhantomData, sync::Arc};

use futures_util::future::join_all;

use super::{
    Backend, CONTENDED, Change, Document, DocumentId, Index, Key, KeyParts, Query, Raw, RawBody, Refused, Write, keys,
    read,
};
use crate::{
    domain::{Timestamp, event::Envelope},
    runtime::KeyLocks,
    store::{Page, StoreError},
};

/// How often [`Collection::change`] retries after a conflict.
const TRIES: usize = 24;
/// How many locks [`Collection::upsert`] has for the documents of one type.
const LOCKS: usize = 64;

/// Why a document was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaveError<K> {
    /// Another document has this key.
    #[error("{0:?} is taken")]
    Duplicate(K),
    /// Anything else; [`StoreError::Conflict`] when another write came in between.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SaveError<super::NoUniqueKey>> for StoreError {
    fn from(error: SaveError<super::NoUniqueKey>) -> Self {
        match error {
            SaveError::Duplicate(never) => match never {},
            SaveError::Store(error) => error,
        }
    }
}

/// The documents of one type in a database. Clones share it.
pub struct Collection<D> {
    backend: Arc<dyn Backend>,
    /// Upserts of one document in this process wait for each other, so that none meets conflict after conflict.
    locks: Arc<KeyLocks>,
    of: PhantomData<fn() -> D>,
}

impl<D> Clone for Collection<D> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), locks: Arc::clone(&self.locks), of: PhantomData }
    }
}

impl<D: Document> Collection<D> {
    /// The documents of this type in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, locks: Arc::new(KeyLocks::new(LOCKS)), of: PhantomData }
    }

    /// The document of an id.
    pub async fn get(&self, id: D::Id) -> Result<Option<D>, StoreError> {
        self.many([id]).await.map(|found| found.into_iter().next())
    }

    /// The documents of these ids that exist, in no order.
    pub async fn many(&self, ids: impl IntoIterator<Item = D::Id>) -> Result<Vec<D>, StoreError> {
        let ids: Vec<DocumentId> = ids.into_iter().map(Into::into).collect();
        if ids.is_empty() {
            return Ok(vec![]);
        }
        read_all(self.backend.get(D::SPEC, ids).await?)
    }

    /// The documents that a query finds.
    pub async fn find(&self, find: Find<D>) -> Result<Vec<D>, StoreError> {
        read_all(self.backend.find(D::SPEC, find.query).await?)
    }

    /// The first document that a query finds.
    pub async fn first(&self, find: Find<D>) -> Result<Option<D>, StoreError> {
        self.find(find.limit(1)).await.map(|found| found.into_iter().next())
    }

    /// How many documents a query finds, whatever its `skip` and `limit`.
    pub async fn count(&self, find: Find<D>) -> Result<u64, StoreError> {
        self.backend.count(D::SPEC, find.query).await
    }

    /// The documents that a query finds, and how many there are in all.
    pub async fn page(&self, find: Find<D>) -> Result<Page<D>, StoreError> {
        let Page { rows, total } = self.backend.page(D::SPEC, find.query).await?;
        Ok(Page { rows: read_all(rows)?, total })
    }

    /// Writes a document with its events in one atomic write, if the stored version is still the one that was
    /// read; returns the next version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another write came in between, or it exists already; [`SaveError::Duplicate`]
    /// when another document has one of its unique keys.
    pub async fn save(&self, document: &D, events: &[Envelope]) -> Result<u64, SaveError<D::Unique>> {
        let write = Write {
            id: document.id().into(),
            version: document.version(),
            body: document,
            keys: keys(document),
            events,
        };
        self.backend.save(D::SPEC, write).await.map_err(|refused| match refused {
            Refused::Store(error) => SaveError::Store(error),
            Refused::Duplicate(place) => match D::INDEXES.get(place).and_then(|index| index.unique) {
                Some(key) => SaveError::Duplicate(key),
                None => SaveError::Store(StoreError::Conflict),
            },
        })
    }

    /// Writes a document over the stored one with its id, or as a new one, regardless of its version.
    ///
    /// # Errors
    /// [`StoreError::Busy`] after too many conflicts; [`SaveError::Duplicate`].
    pub async fn put(&self, mut document: D) -> Result<(), SaveError<D::Unique>> {
        for pause in CONTENDED.pauses().take(TRIES) {
            document.set_version(self.get(document.id()).await?.map_or(0, |stored| stored.version()));
            match self.save(&document, &[]).await {
                Err(SaveError::Store(StoreError::Conflict)) => tokio::time::sleep(pause).await,
                written => return written.map(|_| ()),
            }
        }
        Err(SaveError::Store(StoreError::Busy))
    }

    /// Deletes a document, regardless of its version; returns whether it existed.
    pub async fn delete(&self, id: D::Id) -> Result<bool, StoreError> {
        self.backend.delete(D::SPEC, id.into(), None, &[]).await
    }

    /// Deletes a document that was read, with events.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another write came in between.
    pub async fn delete_read(&self, document: &D, events: &[Envelope]) -> Result<(), StoreError> {
        let deleted = self.backend.delete(D::SPEC, document.id().into(), Some(document.version()), events).await?;
        if deleted { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Deletes the documents that a query finds, at most its limit; returns how many.
    pub async fn delete_found(&self, find: Find<D>) -> Result<u64, StoreError> {
        self.backend.delete_found(D::SPEC, find.query).await
    }

    /// The changes after a number, oldest first: number, id, and the document unless it is deleted. A document that
    /// changed twice appears once, at its last change.
    pub async fn changes(&self, after: u64, limit: u32) -> Result<Vec<(u64, D::Id, Option<D>)>, StoreError> {
        let changes = self.backend.changes(D::SPEC, after, limit).await?;
        let read_one = |Change { sequence, document }: Change| {
            let id = D::Id::try_from(document.id.clone());
            let id = id.map_err(|_| StoreError::Corrupt(format!("{} in {} is no id", document.id, D::COLLECTION)))?;
            let gone = matches!(document.body, RawBody::Gone);
            Ok((sequence, id, if gone { None } else { Some(read(document)?) }))
        };
        changes.into_iter().map(read_one).collect()
    }

    /// Reads a document, changes it and writes it, and retries when another write came in between. `change` returns
    /// `None` to leave it as it is. Returns the stored document with what `change` returned; `None` when there is no
    /// such document or it was left unchanged.
    ///
    /// # Errors
    /// [`StoreError::Busy`] after too many conflicts; [`SaveError::Duplicate`].
    pub async fn change<T>(
        &self,
        id: D::Id,
        mut change: impl FnMut(&mut D) -> Option<T>,
    ) -> Result<Option<(D, T)>, SaveError<D::Unique>> {
        for pause in CONTENDED.pauses().take(TRIES) {
            let Some(mut document) = self.get(id.clone()).await? else { return Ok(None) };
            let Some(done) = change(&mut document) else { return Ok(None) };
            match self.save(&document, &[]).await {
                Ok(version) => {
                    document.set_version(version);
                    return Ok(Some((document, done)));
                }
                Err(SaveError::Store(StoreError::Conflict)) => tokio::time::sleep(pause).await,
                Err(refused) => return Err(refused),
            }
        }
        Err(SaveError::Store(StoreError::Busy))
    }

    /// Reads a document, or takes `new` where there is none, changes it and writes it with the events that `change`
    /// returns, and retries when another write came in between. `change` returns `None` to leave it as it is. Returns
    /// the document as it is stored then.
    ///
    /// # Errors
    /// As [`Collection::change`].
    pub async fn upsert(
        &self,
        new: D,
        mut change: impl FnMut(&mut D) -> Option<Vec<Envelope>>,
    ) -> Result<D, SaveError<D::Unique>> {
        let id: DocumentId = new.id().into();
        let _lock = self.locks.lock(&id).await.ok_or(StoreError::Busy)?;
        for pause in CONTENDED.pauses().take(TRIES) {
            let mut document = self.get(new.id()).await?.unwrap_or_else(|| new.clone());
            let Some(events) = change(&mut document) else { return Ok(document) };
            match self.save(&document, &events).await {
                Ok(version) => {
                    document.set_version(version);
                    return Ok(document);
                }
                Err(SaveError::Store(StoreError::Conflict)) => tokio::time::sleep(pause).await,
                Err(refused) => return Err(refused),
            }
        }
        Err(SaveError::Store(StoreError::Busy))
    }

    /// Claims the documents that a query finds: `lease` writes the expiry of the claim into each, and returns `false`
    /// to skip one. Of several concurrent claims of one document, one succeeds.
    pub async fn claim(&self, find: Find<D>, lease: impl Fn(&mut D) -> bool) -> Result<Vec<D>, SaveError<D::Unique>> {
        self.claim_read(self.find(find).await?, lease).await
    }

    /// As [`Collection::claim`], of documents that were read.
    pub async fn claim_read(
        &self,
        documents: Vec<D>,
        lease: impl Fn(&mut D) -> bool,
    ) -> Result<Vec<D>, SaveError<D::Unique>> {
        let due = documents.into_iter().filter_map(|mut document| lease(&mut document).then_some(document));
        let claims = due.map(async |mut document| match self.save(&document, &[]).await {
            Ok(version) => {
                document.set_version(version);
                Ok(Some(document))
            }
            Err(SaveError::Store(StoreError::Conflict)) => Ok(None),
            Err(refused) => Err(refused),
        });
        join_all(claims).await.into_iter().filter_map(Result::transpose).collect()
    }
}

fn read_all<D: Document>(rows: Vec<Raw>) -> Result<Vec<D>, StoreError> {
    rows.into_iter().map(read).collect()
}

/// A query for documents of one type.
pub struct Find<D> {
    query: Query,
    of: PhantomData<fn() -> D>,
}

impl<D: Document> Clone for Find<D> {
    fn clone(&self) -> Self {
        Self { query: self.query.clone(), of: PhantomData }
    }
}

impl<D: Document> Index<D> {
    /// The documents whose key begins with these parts, in the order of the index.
    #[must_use]
    pub fn of(self, parts: impl KeyParts) -> Find<D> {
        let from = Key::new(parts);
        let query = Query { index: Some(self.name), to: from.end(), from: Some(from), ..Query::default() };
        Find { query, of: PhantomData }
    }

    /// Every document that has a key in this index, in its order.
    #[must_use]
    pub fn all(self) -> Find<D> {
        self.of(())
    }

    /// The documents whose key is a time up to `now`, the longest due first.
    #[must_use]
    pub fn due(self, now: Timestamp) -> Find<D> {
        self.all().up_to(now)
    }
}

impl<D: Document> Find<D> {
    /// Every document, by id.
    #[must_use]
    pub fn by_id() -> Self {
        Self { query: Query::default(), of: PhantomData }
    }

    /// Only ids after this one; for [`Find::by_id`].
    #[must_use]
    pub fn after(mut self, id: Option<D::Id>) -> Self {
        self.query.after = id.map(Into::into);
        self
    }

    /// Only ids before this one; for [`Find::by_id`].
    #[must_use]
    pub fn before(mut self, id: Option<D::Id>) -> Self {
        self.query.before = id.map(Into::into);
        self
    }

    /// Only keys up to those that begin with these parts.
    #[must_use]
    pub fn up_to(mut self, parts: impl KeyParts) -> Self {
        self.query.to = Key::new(parts).end();
        self
    }

    /// Only keys after those that begin with these parts.
    #[must_use]
    pub fn behind(mut self, parts: impl KeyParts) -> Self {
        // If no key can follow them, the range is empty.
        self.query.from = Key::new(parts).end().or_else(|| self.query.to.clone());
        self
    }

    /// Only keys below these parts.
    #[must_use]
    pub fn below(mut self, parts: impl KeyParts) -> Self {
        self.query.to = Some(Key::new(parts));
        self
    }

    /// Only keys from these parts on.
    #[must_use]
    pub fn from(mut self, parts: impl KeyParts) -> Self {
        self.query.from = Some(Key::new(parts));
        self
    }

    /// Descending order.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.query.reverse = true;
        self
    }

    /// Skips the first ones.
    #[must_use]
    pub const fn skip(mut self, skip: u64) -> Self {
        self.query.skip = skip;
        self
    }

    /// The most documents to return.
    #[must_use]
    pub const fn limit(mut self, limit: u32) -> Self {
        self.query.limit = Some(limit);
        self
    }
}
