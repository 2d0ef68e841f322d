//! Documents of any type: one collection each, with the keys as indexed fields and the events in the document.
//!
//! A document is stored in the field `doc`, its keys in `keys`, as hexadecimal digits, which sort like the bytes. A
//! document that was deleted with events stays as a tombstone (`gone`) without keys.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::Collection;

use super::{
    batch::{Batcher, Change},
    codec::{self, Failed},
    engine::Engine,
    feed::Feed,
};
use crate::{
    domain::event::Envelope,
    store::{
        StoreError,
        document::{
            Backend, Change as FeedChange, DocumentId, IndexSpec, Key, Query, Raw, RawBody, Refused, Spec, Write,
        },
    },
};

/// How often a write makes room for its events.
const RELIEVED: u32 = 3;

/// The collection of a type, and its batcher.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) collection: Collection<Document>,
    pub(super) batcher: Batcher,
    /// The numbers of changes, if they are numbered.
    pub(super) feed: Option<Feed>,
}

impl Place {
    /// Writes with the number of the change, if changes are numbered.
    async fn numbered<T, F>(&self, write: impl FnOnce(Option<i64>) -> F) -> Result<T, Refused>
    where
        F: Future<Output = Result<T, Refused>>,
    {
        match &self.feed {
            Some(feed) => feed.numbered(|number| write(Some(number))).await,
            None => write(None).await,
        }
    }
}

impl Engine {
    async fn save_once(&self, of: &'static Spec, write: &Write<'_>) -> Result<u64, Refused> {
        let place = self.place(of)?;
        let events = self.prepare(write.events)?;
        let (woken, next) = (!events.is_empty(), write.version + 1);
        let mut fields = fields(next, codec::bson_of(write.body.value()?)?, &(of.indexes)(), &write.keys)?;
        let (id, version) = (id(&write.id), write.version);
        let written = self.run(async move {
            let write = |number: Option<i64>| {
                fields.extend(number.map(|number| ("sequence".to_owned(), Bson::from(number))));
                let change = if version == 0 {
                    fields.insert("outbox", events);
                    Change::Insert(fields)
                } else {
                    let mut update = doc! { "$set": fields };
                    if !events.is_empty() {
                        update.insert("$push", doc! { "outbox": { "$each": events } });
                    }
                    Change::Update(version, update)
                };
                place.batcher.write(id.clone(), change)
            };
            match place.numbered(write).await {
                // Inserting a document twice is a conflict, whichever of its keys are taken.
                Err(Refused::Duplicate(_))
                    if version == 0 && codec::counted(&place.collection, doc! { "_id": id.clone() }).await? > 0 =>
                {
                    Err(Refused::Store(StoreError::Conflict))
                }
                written => written,
            }
        });
        written.await?;
        self.notify(woken);
        Ok(next)
    }
}

#[async_trait]
impl Backend for Engine {
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError> {
        let Place { collection, .. } = self.place(of)?;
        let ids: Vec<Bson> = ids.iter().map(id).collect();
        self.run(async move {
            match ids.as_slice() {
                [one] => {
                    let find = collection.find_one(doc! { "_id": one, "gone": { "$ne": true } });
                    let found = find.projection(seen()).await.map_err(|error| Failed::read(&error))?;
                    found.iter().map(raw).collect()
                }
                many => {
                    let find = collection.find(doc! { "_id": { "$in": many }, "gone": { "$ne": true } });
                    codec::all(find.projection(seen()), raw).await
                }
            }
        })
        .await
    }

    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError> {
        let Place { collection, .. } = self.place(of)?;
        self.run(async move {
            let find = collection.find(filter(&query)).sort(sort(of, &query)).skip(query.skip).projection(seen());
            let limit = query.limit.map_or(0, i64::from);
            if query.limit == Some(0) { Ok(vec![]) } else { codec::all(find.limit(limit), raw).await }
        })
        .await
    }

    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        let Place { collection, .. } = self.place(of)?;
        self.run(async move { codec::counted(&collection, filter(&query)).await }).await
    }

    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused> {
        for _ in 0..RELIEVED {
            match self.save_once(of, &write).await {
                // A document without room for more events refuses the write as if another write came in between.
                Err(Refused::Store(StoreError::Conflict))
                    if write.version > 0
                        && !write.events.is_empty()
                        && self.relieve(of, &write.id, write.version).await? => {}
                written => return written,
            }
        }
        Err(Refused::Store(StoreError::Busy))
    }

    async fn delete(
        &self,
        of: &'static Spec,
        document: DocumentId,
        version: Option<u64>,
        events: &[Envelope],
    ) -> Result<bool, StoreError> {
        let place = self.place(of)?;
        let events = self.prepare(events)?;
        let woken = !events.is_empty();
        let mut this = doc! { "_id": id(&document), "gone": { "$ne": true } };
        if let Some(version) = version {
            this.insert("version", codec::long(version)?);
        }
        let is_followed = of.feed;
        let deleted = self.run(async move {
            if events.is_empty() && !is_followed {
                let deleted = place.collection.delete_one(this).await.map_err(|error| Failed::write(&error))?;
                return Ok(deleted.deleted_count > 0);
            }
            let write = async |number: Option<i64>| {
                let mut gone = doc! { "gone": true, "keys": {}, "doc": Bson::Null };
                gone.extend(number.map(|number| ("sequence".to_owned(), Bson::from(number))));
                let tombstone = doc! {
                    "$set": gone,
                    "$inc": { "version": 1_i64 },
                    "$push": { "outbox": { "$each": events } },
                };
                let deleted = place.collection.update_one(this, tombstone).await;
                Ok(deleted.map_err(|error| Refused::Store(Failed::write(&error)))?.matched_count > 0)
            };
            place.numbered(write).await.map_err(|refused| match refused {
                Refused::Store(error) => error,
                Refused::Duplicate(_) => StoreError::Conflict,
            })
        });
        let deleted = deleted.await?;
        self.notify(woken && deleted);
        Ok(deleted)
    }

    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        let Place { collection, .. } = self.place(of)?;
        self.run(async move {
            let find = collection.find(filter(&query)).sort(sort(of, &query)).skip(query.skip);
            let find = find.limit(query.limit.map_or(0, i64::from)).projection(doc! { "_id": 1 });
            let ids = codec::all(find, |row| Ok(row.get("_id").cloned().unwrap_or(Bson::Null))).await?;
            if ids.is_empty() {
                return Ok(0);
            }
            let deleted = collection.delete_many(doc! { "_id": { "$in": ids } }).await;
            Ok(deleted.map_err(|error| Failed::write(&error))?.deleted_count)
        })
        .await
    }

    async fn changes(&self, of: &'static Spec, after: u64, limit: u32) -> Result<Vec<FeedChange>, StoreError> {
        let Place { collection, feed, .. } = self.place(of)?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.run(async move {
            let shown = match &feed {
                Some(feed) => feed.shown().await?,
                None => None,
            };
            let Some(shown) = shown else { return Ok(vec![]) };
            let range = doc! { "sequence": { "$gt": after, "$lte": shown } };
            let find = collection.find(range).sort(doc! { "sequence": 1 }).limit(limit.into());
            codec::all(find.projection(doc! { "version": 1, "doc": 1, "gone": 1, "sequence": 1 }), |row| {
                Ok(FeedChange { sequence: codec::count(row, "sequence")?, document: raw(row)? })
            })
            .await
        })
        .await
    }
}

/// A document's id in the server's format.
pub(super) fn id(of: &DocumentId) -> Bson {
    match of {
        DocumentId::Id(bytes) => codec::oid(*bytes).into(),
        DocumentId::Text(text) => text.as_str().into(),
    }
}

/// The fields of a document besides its id and events.
pub(super) fn fields(
    version: u64,
    body: Bson,
    indexes: &[IndexSpec],
    keys: &[Option<Key>],
) -> Result<Document, StoreError> {
    Ok(doc! { "version": codec::long(version)?, "keys": keys_field(indexes, keys), "doc": body })
}

/// The keys that the document has, as a field.
pub(super) fn keys_field(indexes: &[IndexSpec], keys: &[Option<Key>]) -> Document {
    let named = indexes.iter().zip(keys);
    named.filter_map(|(index, key)| Some((index.name.to_owned(), digits(key.as_ref()?).into()))).collect()
}

fn digits(key: &Key) -> String {
    hex::encode(key.as_bytes())
}

/// The projection of a document.
fn seen() -> Document {
    doc! { "version": 1, "doc": 1 }
}

pub(super) fn raw(row: &Document) -> Result<Raw, StoreError> {
    let id = match row.get("_id") {
        Some(Bson::ObjectId(id)) => DocumentId::Id(id.bytes()),
        Some(Bson::String(text)) => DocumentId::Text(text.clone()),
        _ => return Err(codec::corrupt("a document whose id is of another type")),
    };
    let body = match row.get_bool("gone") {
        Ok(true) => RawBody::Gone,
        _ => RawBody::Value(codec::json_of(row.get("doc").unwrap_or(&Bson::Null))?),
    };
    Ok(Raw { id, version: codec::count(row, "version")?, body })
}

fn filter(query: &Query) -> Document {
    match query.index {
        Some(index) => {
            let mut range = doc! { "$gte": digits(&query.from.clone().unwrap_or_default()) };
            if let Some(to) = &query.to {
                range.insert("$lt", digits(to));
            }
            doc! { format!("keys.{index}"): range }
        }
        None => {
            let mut filter = doc! { "gone": { "$ne": true } };
            let mut range = Document::new();
            if let Some(after) = &query.after {
                range.insert("$gt", id(after));
            }
            if let Some(before) = &query.before {
                range.insert("$lt", id(before));
            }
            if !range.is_empty() {
                filter.insert("_id", range);
            }
            filter
        }
    }
}

fn sort(of: &Spec, query: &Query) -> Document {
    let direction = if query.reverse { -1 } else { 1 };
    let is_unique = |name: &str| (of.indexes)().iter().any(|index| index.name == name && index.unique);
    match query.index {
        // The server's index does not contain the id then and would not sort by it.
        Some(index) if is_unique(index) => doc! { format!("keys.{index}"): direction },
        Some(index) => doc! { format!("keys.{index}"): direction, "_id": direction },
        None => doc! { "_id": direction },
    }
}
