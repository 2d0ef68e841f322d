//! Documents: how an aggregate is stored, declared once beside its type.
//!
//! `impl Document for Cart` names the collection, the service whose database it is, and the indexes. Both
//! backends, `migrate` and the conformance suite follow from that; nothing else is written for an aggregate.
//! See `docs/adr/` for why indexes are a table and not a method.

mod backend;
mod backoff;
mod collection;
mod key;

pub use backend::{Backend, Body, Change, DocumentId, IndexSpec, Query, Raw, RawBody, Refused, Spec, Write};
pub use collection::{Collection, Find, SaveError};
pub use key::{Desc, Key, KeyParts, key};

pub(in crate::store) use backoff::Backoff;

use serde::{Serialize, de::DeserializeOwned};

use super::{StoreError, micros_up};
use crate::config::Service;

/// What is stored, found by its indexes, and written with the version that was read.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// What it is stored under.
    type Id: Into<DocumentId> + TryFrom<DocumentId> + Clone + Send + Sync;
    /// Names a unique key that is taken; [`NoUniqueKey`] where there is none.
    type Unique: Copy + std::fmt::Debug + PartialEq + Send + Sync + 'static;

    /// The collection's name, in both backends. It never changes.
    const COLLECTION: &'static str;
    /// Whose database it is in.
    const SERVICE: Service;
    /// What it is found by besides its id.
    const INDEXES: &'static [Index<Self>];
    /// Whether events are written with it.
    const PUBLISHES: bool = false;

    /// Whether its changes are numbered, so that others follow them; deleted documents stay as tombstones then.
    const FEED: bool = false;

    /// Its id.
    fn id(&self) -> Self::Id;
    /// How often it was written; 0 for one that is not stored yet.
    fn version(&self) -> u64;
    /// Sets what [`Document::version`] returns; the store's count is the truth, whatever the document says.
    fn set_version(&mut self, version: u64);

    /// The same for a backend, which does not know the type.
    const SPEC: &'static Spec = &Spec {
        collection: Self::COLLECTION,
        service: Self::SERVICE,
        publishes: Self::PUBLISHES,
        feed: Self::FEED,
        indexes: index_specs::<Self>,
        keys_of: keys_of_stored::<Self>,
    };
}

/// What [`Document`] wants of a type with an id and a version: `stored_as!(self, CartId = self.id, self.version);`.
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

/// Of a document without unique keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoUniqueKey {}

/// One thing that documents are found by. Its name never changes its meaning: a backend makes the keys anew
/// when the names differ from those it knows.
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

    /// An index in which each key stands once.
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
