//! Brings each collection of documents to the indexes and keys that its type declares.
//!
//! Every node does this when it starts, and interrupted work is repeated: each step is idempotent. The number of the
//! layout is stored in the database. A node with an older layout does not start, and a running one stops, because it
//! would write documents without the keys that newer nodes need.

use std::{collections::HashMap, time::Duration};

use bson::{Bson, Document, doc};
use futures_util::future::try_join_all;
use mongodb::{Collection, IndexModel, options::IndexOptions};

use super::{
    batch::WRITE_IDS,
    codec::{self, Failed},
    documents::{self, Place},
    engine::Engine,
    idempotency, legacy,
};
use crate::store::{LAYOUT, StoreError, document::Spec};

/// How often a node checks whether a newer one has changed the layout.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// The record of the layout's number.
const NOTE: &str = "layout";
/// Documents that get new keys at once.
const REKEYED: i64 = 200;
/// The fields that a document may have; others are an older layout's.
const FIELDS: [&str; 8] = ["_id", "version", "doc", "keys", "outbox", "gone", "sequence", WRITE_IDS];

/// Brings everything to this program's layout.
pub(super) async fn ensure(engine: &Engine) -> Result<(), StoreError> {
    let known = number(engine).await?;
    if known > LAYOUT {
        return Err(newer(known));
    }
    idempotency::merge(engine).await?;
    for spec in engine.specs.iter().copied() {
        lay_out(engine, spec).await?;
    }
    let notes = engine.collections.upgrades();
    engine.run(async move { codec::upsert(&notes, NOTE, doc! { "$max": { "number": LAYOUT } }).await }).await
}

/// Checks periodically whether a newer program has changed the layout, and then calls `stop`.
pub(super) async fn follow(notes: Collection<Document>, stop: impl FnOnce(StoreError)) {
    loop {
        tokio::time::sleep(LOOKED_AT).await;
        match read(&notes).await {
            Ok(number) if number > LAYOUT => return stop(newer(number)),
            // While the server is unavailable, nothing is written either.
            _ => {}
        }
    }
}

async fn number(engine: &Engine) -> Result<i64, StoreError> {
    let notes = engine.collections.upgrades();
    engine.run(async move { read(&notes).await }).await
}

async fn read(notes: &Collection<Document>) -> Result<i64, StoreError> {
    let number = codec::first(notes, doc! { "_id": NOTE }, |row| codec::whole(row, "number")).await?;
    Ok(number.unwrap_or(0))
}

fn newer(number: i64) -> StoreError {
    StoreError::Unavailable(format!(
        "the database has layout {number} and this program knows {LAYOUT}: use a newer program"
    ))
}

/// Each step is one call, so that no call takes as long as a whole large shop.
async fn lay_out(engine: &Engine, spec: &'static Spec) -> Result<(), StoreError> {
    let (Place { collection, .. }, notes) = (engine.place(spec)?, engine.collections.upgrades());
    let name = format!("layout of {}", spec.collection);
    let layout = spec.layout();
    let (noted, note) = (notes.clone(), doc! { "_id": &name });
    let known = async move { codec::first(&noted, note, |row| codec::string(row, "layout").map(str::to_owned)).await };
    if engine.run(known).await?.as_ref() == Some(&layout) {
        return Ok(());
    }
    let old = collection.clone();
    engine.run(async move { drop_old_indexes(spec, &old).await }).await?;
    loop {
        let rows = collection.clone();
        if engine.run(async move { legacy::move_to_ids(spec, &rows).await }).await? == 0 {
            break;
        }
    }
    let mut after = Some(Bson::MinKey);
    while let Some(from) = after {
        let rows = collection.clone();
        after = engine.run(async move { rekey(spec, &rows, from).await }).await?;
    }
    for (index, unique) in index_names(spec) {
        let mut keys = doc! { format!("keys.{index}"): 1 };
        if !unique {
            keys.insert("_id", 1);
        }
        let mut options = IndexOptions::default();
        options.name = Some(format!("key_{index}"));
        options.unique = unique.then_some(true);
        options.sparse = unique.then_some(true);
        create(engine, &collection, keys, options).await?;
    }
    if spec.publishes {
        let mut options = IndexOptions::default();
        options.name = Some("outbox".to_owned());
        create(engine, &collection, doc! { "outbox.n": 1 }, options).await?;
    }
    if spec.feed {
        let mut options = IndexOptions::default();
        options.name = Some("sequence".to_owned());
        create(engine, &collection, doc! { "sequence": 1 }, options).await?;
    }
    engine.run(async move { codec::upsert(&notes, name, doc! { "$set": { "layout": layout } }).await }).await
}

/// The server's names of a type's unique indexes, with their positions.
pub(super) fn unique_indexes(spec: &Spec) -> HashMap<String, usize> {
    let indexes = (spec.indexes)().into_iter().enumerate().filter(|(_, index)| index.unique);
    indexes.map(|(place, index)| (format!("key_{}", index.name), place)).collect()
}

fn index_names(spec: &Spec) -> Vec<(&'static str, bool)> {
    (spec.indexes)().into_iter().map(|index| (index.name, index.unique)).collect()
}

async fn create(
    engine: &Engine,
    collection: &Collection<Document>,
    keys: Document,
    options: IndexOptions,
) -> Result<(), StoreError> {
    let (model, collection) = (IndexModel::builder().keys(keys).options(options).build(), collection.clone());
    engine
        .run(async move { collection.create_index(model).await.map(|_| ()).map_err(|error| Failed::read(&error)) })
        .await
}

async fn drop_old_indexes(spec: &Spec, collection: &Collection<Document>) -> Result<(), StoreError> {
    let wanted: Vec<String> = index_names(spec).iter().map(|(index, _)| format!("key_{index}")).collect();
    // A missing collection has no indexes, and some servers report that as an error.
    let names = collection.list_index_names().await.unwrap_or_default();
    for name in names {
        let stays = name == "_id_"
            || wanted.contains(&name)
            || (spec.publishes && name == "outbox")
            || (spec.feed && name == "sequence");
        if !stays {
            match collection.drop_index(&name).await {
                Err(error) if !is_missing(&error) => return Err(Failed::read(&error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether the index does not exist because another node removed it first.
fn is_missing(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(refused) if refused.code == 27)
}

/// Gives the next documents after this id the current keys and removes the fields of an older layout; returns the
/// last one's id, `None` when there were none.
async fn rekey(spec: &Spec, collection: &Collection<Document>, after: Bson) -> Result<Option<Bson>, StoreError> {
    let indexes = (spec.indexes)();
    let filter = match after {
        Bson::MinKey => Document::new(),
        after => doc! { "_id": { "$gt": after } },
    };
    let rows =
        codec::all(collection.find(filter).sort(doc! { "_id": 1 }).limit(REKEYED), |row| Ok(row.clone())).await?;
    let last = rows.last().and_then(|last| last.get("_id").cloned());
    let rekeyed = rows.into_iter().map(async |row| {
        let this = doc! { "_id": row.get("_id"), "version": row.get("version") };
        let (mut row, mut set) = (row, Document::new());
        if let Some(body) = legacy::body(spec.collection, &row) {
            set.insert("doc", codec::bson_of(body?)?);
        }
        if !row.contains_key("version") {
            set.insert("version", 1_i64);
        }
        row.extend(set.clone());
        let is_gone = row.get_bool("gone").unwrap_or(false);
        let keys = if is_gone { vec![] } else { (spec.keys_of)(documents::raw(&row)?)? };
        set.insert("keys", documents::keys_field(&indexes, &keys));
        let mut update = doc! { "$set": set };
        let old: Document = row
            .keys()
            .filter(|field| !FIELDS.contains(&field.as_str()))
            .map(|field| (field.clone(), Bson::from("")))
            .collect();
        if !old.is_empty() {
            update.insert("$unset", old);
        }
        // A document that was written meanwhile got its keys by that write.
        collection.update_one(this, update).await.map_err(|error| Failed::write(&error))
    });
    try_join_all(rekeyed).await?;
    Ok(last)
}
