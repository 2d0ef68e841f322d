//! Documents: how an aggregate is stored, declared once beside its type.
//!
//! `impl Document for Cart` names the collection, the service whose database contains it, and the indexes. Both
//! backends, `migrate` and the conformance suite use this declaration; an aggregate needs nothing else. See
//! `docs/adr/` for why indexes are a table and not a method.

mod backend;
mod collection;
mod key;

pub use backend::{Backend, Body, Change, DocumentId, IndexSpec, Query, Raw, RawBody, Refused, Spec, Write};
pub use collection::{Collection, Find, SaveError};
pub use key::{Desc, Key, KeyParts, key};

use std::time::Duration;

use growing_backoff::Backoff;
use serde::{Serialize, de::DeserializeOwned};

use super::{StoreError, micros_up};
use crate::config::Service;

/// The pauses between attempts to write a document that several callers write at once.
pub(in crate::store) const CONTENDED: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(40));

/// A type that is stored, found by its indexes, and written with the version that was read.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its id.
    type Id: Into<DocumentId> + TryFrom<DocumentId> + Clone + Send + Sync;
    /// The unique keys; [`NoUniqueKey`] where there are none.
    type Unique: Copy + std::fmt::Debug + PartialEq + Send + Sync + 'static;

    /// The collection's name, in both backends. It never changes.
    const COLLECTION: &'static str;
    /// The service whose database contains it.
    const SERVICE: Service;
    /// The indexes besides the id.
    const INDEXES: &'static [Index<Self>];
    /// Whether writes may contain events.
    const PUBLISHES: bool = false;

    /// Whether its changes are numbered, so that followers can read them; deleted documents then stay as tombstones.
    const FEED: bool = false;

    fn id(&self) -> Self::Id;
    /// The version: how many times it was written; 0 if it is not stored yet.
    fn version(&self) -> u64;
    /// Sets the version that [`Document::version`] returns; the store's count takes precedence over the document's.
    fn set_version(&mut self, version: u64);

    /// The specification for a backend, which does not know the type.
    const SPEC: &'static Spec = &Spec {
        collection: Self::COLLECTION,
        service: Self::SERVICE,
        publishes: Self::PUBLISHES,
        feed: Self::FEED,
        indexes: index_specs::<Self>,
        keys_of: keys_of_stored::<Self>,
    };
}

/// Implements the id and version of a [`Document`]: `stored_as!(self, CartId = self.id, self.version);`.
macro_rules! stored_as {
    ($this:ident, $id:ty = $its_id:expr, $version:expr) => {
        type Id = $id;

        fn id(&$this) -> $id {
            $its_id
        }

        fn version(&$this) -> u64 {
            $version
        }

        fn set_version(&mut $this, version: u64) {
            $version = version;
        }
    };
}
pub(in crate::store) use stored_as;

/// For a document without unique keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoUniqueKey {}

/// An index. Its name never changes its meaning: a backend rebuilds the keys when the names differ from those it
/// knows.
pub struct Index<D: Document> {
    name: &'static str,
    unique: Option<D::Unique>,
    key: fn(&D) -> Option<Key>,
}

impl<D: Document> Clone for Index<D> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<D: Document> Copy for Index<D> {}

impl<D: Document> Index<D> {
    /// An index; documents whose key is `None` are not in it.
    pub const fn new(name: &'static str, key: fn(&D) -> Option<Key>) -> Self {
        Self { name, unique: None, key }
    }

    /// A unique index.
    pub const fn unique(name: &'static str, unique: D::Unique, key: fn(&D) -> Option<Key>) -> Self {
        Self { name, unique: Some(unique), key }
    }
}

/// The keys of a document, one for each index, in their order.
fn keys<D: Document>(document: &D) -> Vec<Option<Key>> {
    D::INDEXES.iter().map(|index| (index.key)(document)).collect()
}

fn index_specs<D: Document>() -> Vec<IndexSpec> {
    D::INDEXES.iter().map(|index| IndexSpec { name: index.name, unique: index.unique.is_some() }).collect()
}

fn keys_of_stored<D: Document>(raw: Raw) -> Result<Vec<Option<Key>>, StoreError> {
    read::<D>(raw).map(|document| keys(&document))
}

/// The document of a stored row.
fn read<D: Document>(raw: Raw) -> Result<D, StoreError> {
    let version = raw.version;
    let mut document: D = match raw.body {
        RawBody::Json(bytes) => serde_json::from_slice(&bytes),
        RawBody::Value(value) => serde_json::from_value(value),
        RawBody::Gone => return Err(StoreError::Corrupt(format!("{} in {} is deleted", raw.id, D::COLLECTION))),
    }
    .map_err(|error| StoreError::Corrupt(format!("{} in {}: {error}", raw.id, D::COLLECTION)))?;
    document.set_version(version);
    Ok(document)
}
