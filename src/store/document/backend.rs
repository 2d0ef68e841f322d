//! The interface of a database for documents of any type.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::Key;
use crate::{
    config::Service,
    domain::event::Envelope,
    store::{Page, StoreError},
};

/// A database that stores documents. Every method returns only after its writes are on disk.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The documents of these ids that exist, in no order.
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError>;

    /// The documents that a query finds.
    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError>;

    /// How many documents a query finds, whatever its `skip` and `limit`.
    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError>;

    /// The documents that a query finds, and how many there are in all.
    async fn page(&self, of: &'static Spec, query: Query) -> Result<Page<Raw>, StoreError> {
        let total = self.count(of, query.clone()).await?;
        // No query is needed past the end, where servers behave differently.
        let rows = if query.skip >= total { vec![] } else { self.find(of, query).await? };
        Ok(Page { rows, total })
    }

    /// Writes a document with its keys and events, in one atomic write, if the stored version is still the one that
    /// was read; returns the next version. Version 0 inserts a document.
    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused>;

    /// Deletes a document, of this version if one is named, and writes events with it; returns whether it existed. A
    /// document that was deleted with events is never inserted again.
    async fn delete(
        &self,
        of: &'static Spec,
        id: DocumentId,
        version: Option<u64>,
        events: &[Envelope],
    ) -> Result<bool, StoreError>;

    /// Deletes the documents that a query finds, at most its `limit`; returns how many.
    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError>;

    /// The changes after a number, the oldest first, of a collection whose changes are numbered. A document that
    /// changed twice appears once, at its last change.
    async fn changes(&self, of: &'static Spec, after: u64, limit: u32) -> Result<Vec<Change>, StoreError>;
}

/// A collection as a backend knows it.
pub struct Spec {
    /// The collection's name.
    pub collection: &'static str,
    /// The service whose database contains it.
    pub service: Service,
    /// Whether its writes may contain events.
    pub publishes: bool,
    /// Whether its changes are numbered.
    pub feed: bool,
    pub indexes: fn() -> Vec<IndexSpec>,
    /// Computes the keys of a stored document, for when the indexes have changed.
    pub keys_of: fn(Raw) -> Result<Vec<Option<Key>>, StoreError>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spec").field(&self.collection).finish()
    }
}

impl Spec {
    /// A fingerprint of the indexes; when it changes, the keys have to be rebuilt.
    pub fn layout(&self) -> String {
        let names = (self.indexes)().into_iter().map(|index| {
            let unique = if index.unique { "!" } else { "" };
            format!("{}{unique}", index.name)
        });
        names.chain(self.feed.then(|| "#".to_owned())).collect::<Vec<_>>().join(",")
    }
}

/// An index as a backend knows it.
#[derive(Debug, Clone, Copy)]
pub struct IndexSpec {
    /// Its name, within its collection.
    pub name: &'static str,
    /// Whether keys are unique.
    pub unique: bool,
}

/// The id of a stored document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentId {
    /// One of [`crate::domain::ids`].
    Id([u8; 12]),
    /// A name.
    Text(String),
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<String> for DocumentId {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl TryFrom<DocumentId> for String {
    type Error = StoreError;

    fn try_from(id: DocumentId) -> Result<Self, StoreError> {
        match id {
            DocumentId::Text(text) => Ok(text),
            DocumentId::Id(_) => Err(StoreError::Corrupt(format!("the id {id} is no name"))),
        }
    }
}

macro_rules! document_ids {
    ($($id:ident),*) => {
        $(
            impl From<crate::domain::ids::$id> for DocumentId {
                fn from(id: crate::domain::ids::$id) -> Self {
                    Self::Id(id.bytes())
                }
            }

            impl TryFrom<DocumentId> for crate::domain::ids::$id {
                type Error = StoreError;

                fn try_from(id: DocumentId) -> Result<Self, StoreError> {
                    match id {
                        DocumentId::Id(bytes) => Ok(Self::from_bytes(bytes)),
                        DocumentId::Text(text) => Err(StoreError::Corrupt(format!("the name {text} is no id"))),
                    }
                }
            }
        )*
    };
}
document_ids!(
    CartId,
    ConversationId,
    ImageId,
    ImportId,
    OrderId,
    PaymentId,
    ProductId,
    UserId,
    WebhookDeliveryId,
    WebhookId
);

/// A stored document.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Its id.
    pub id: DocumentId,
    /// How many times it was written.
    pub version: u64,
    /// The document.
    pub body: RawBody,
}

/// A document as a database returns it.
#[derive(Debug, Clone)]
pub enum RawBody {
    /// JSON text.
    Json(Vec<u8>),
    /// A parsed value.
    Value(Value),
    /// It was deleted.
    Gone,
}

/// The last change of a document.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its number; each change of the collection has a higher one.
    pub sequence: u64,
    /// The document after it, whose body is [`RawBody::Gone`] once it is deleted.
    pub document: Raw,
}

/// A document to be written.
pub struct Write<'a> {
    /// Its id.
    pub id: DocumentId,
    /// The version that was read, 0 for a new document.
    pub version: u64,
    /// The document.
    pub body: &'a dyn Body,
    /// Its keys, one for each index.
    pub keys: Vec<Option<Key>>,
    /// The events that it causes.
    pub events: &'a [Envelope],
}

/// A document that is not serialised yet, because databases need different formats.
pub trait Body: Send + Sync {
    /// As JSON text.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for invalid JSON.
    fn json(&self) -> Result<Vec<u8>, StoreError>;

    /// As a value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for invalid JSON.
    fn value(&self) -> Result<Value, StoreError>;
}

impl<T: Serialize + Send + Sync> Body for T {
    fn json(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    fn value(&self) -> Result<Value, StoreError> {
        serde_json::to_value(self).map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

/// Why a document was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another document has the same key in the index at this position.
    Duplicate(usize),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A query: the documents whose key in an index is within a range, ordered by that key and then by id.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The index; by id if none is named.
    pub index: Option<&'static str>,
    /// The first key.
    pub from: Option<Key>,
    /// The key after the last, exclusive.
    pub to: Option<Key>,
    /// Only ids after this one, where the order is by id.
    pub after: Option<DocumentId>,
    /// Only ids before this one, where the order is by id.
    pub before: Option<DocumentId>,
    /// Descending order.
    pub reverse: bool,
    /// How many to skip.
    pub skip: u64,
    /// The most documents to return.
    pub limit: Option<u32>,
}
