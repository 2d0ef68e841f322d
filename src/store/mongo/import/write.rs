//! Writes a batch of records; existing documents stay as they are.

use std::collections::{BTreeMap, HashMap};

use bson::{Bson, Document, doc};
use futures_util::future::try_join_all;
use mongodb::{
    Collection,
    error::{Error, ErrorKind},
};

use super::{
    super::{
        codec::{self, DUPLICATE_KEY, Failed},
        documents as stored_documents,
        engine::Engine,
    },
    documents::{carrier, documents},
};
use crate::{
    domain::event::Envelope,
    store::{
        StoreError,
        document::{Raw, RawBody, Spec},
        transfer::Record,
    },
};

/// Events of one document, with the collection that it is in.
type OfOne = (Collection<Document>, Vec<(u64, Envelope)>);

/// Writes all records, each once.
pub(super) async fn all(engine: &Engine, records: Vec<Record>) -> Result<(), StoreError> {
    let collections = engine.collections.clone();
    let mut by_place: BTreeMap<String, (Collection<Document>, Vec<Document>)> = BTreeMap::new();
    let mut events: HashMap<(String, String), OfOne> = HashMap::new();
    for record in records {
        if let Record::Event(sequence, envelope) = record {
            let carrier = carrier(engine, &envelope)?;
            let of = (carrier.namespace().to_string(), envelope.event.aggregate_id());
            let (_, of_one) = events.entry(of).or_insert_with(|| (carrier, vec![]));
            of_one.push((sequence, *envelope));
            continue;
        }
        if let Record::Document(spec, raw, number) = record {
            let place = engine.place(spec)?.collection;
            let name = place.namespace().to_string();
            by_place.entry(name).or_insert_with(|| (place, vec![])).1.push(stored(spec, raw, number)?);
            continue;
        }
        for (place, document) in documents(&collections, record)? {
            let name = place.namespace().to_string();
            by_place.entry(name).or_insert_with(|| (place, vec![])).1.push(document);
        }
    }
    engine
        .run(async move {
            for (place, documents) in by_place.into_values() {
                insert(&place, documents).await?;
            }
            try_join_all(events.into_values().map(|(place, of_one)| hang(place, of_one))).await.map(|_| ())
        })
        .await
}

/// A document with its keys, as a node would have written it.
fn stored(spec: &Spec, raw: Raw, number: Option<u64>) -> Result<Document, StoreError> {
    let id = stored_documents::id(&raw.id);
    let mut fields = match raw.body.clone() {
        RawBody::Gone => doc! { "version": codec::long(raw.version)?, "keys": {}, "doc": Bson::Null, "gone": true },
        body => {
            let keys = (spec.keys_of)(raw.clone())?;
            let body = match body {
                RawBody::Json(json) => serde_json::from_slice(&json).map_err(codec::corrupt)?,
                RawBody::Value(value) => value,
                RawBody::Gone => serde_json::Value::Null,
            };
            stored_documents::fields(raw.version, codec::bson_of(body)?, &(spec.indexes)(), &keys)?
        }
    };
    if let Some(number) = number {
        fields.insert("sequence", codec::long(number)?);
    }
    fields.extend(doc! { "_id": id, "outbox": [] });
    Ok(fields)
}

async fn insert(place: &Collection<Document>, documents: Vec<Document>) -> Result<(), StoreError> {
    match place.insert_many(&documents).ordered(false).await {
        Err(error) if !all_there(&error) => Err(Failed::write(&error)),
        _ => Ok(()),
    }
}

/// Whether the error is only about documents that exist already.
fn all_there(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::InsertMany(refused) => {
            refused.write_concern_error.is_none()
                && refused
                    .write_errors
                    .as_ref()
                    .is_some_and(|each| each.iter().all(|refused| refused.code == DUPLICATE_KEY))
        }
        _ => false,
    }
}

/// Adds events to their document, in order, each once.
async fn hang(place: Collection<Document>, events: Vec<(u64, Envelope)>) -> Result<(), StoreError> {
    for (sequence, envelope) in events {
        let number = codec::long(sequence)?;
        let id: bson::oid::ObjectId = envelope.event.aggregate_id().parse().map_err(codec::corrupt)?;
        let waiting = codec::waiting(sequence, &envelope)?;
        let without = doc! { "_id": id, "outbox.n": { "$ne": number } };
        let hung = place.update_one(without, doc! { "$push": { "outbox": waiting } }).await;
        let hung = hung.map_err(|error| Failed::write(&error))?.matched_count == 1;
        if !hung && codec::counted(&place, doc! { "_id": id }).await? == 0 {
            let name = envelope.event.name();
            return Err(codec::corrupt(format!("the event {sequence} ({name}) tells of {id}, which is not there")));
        }
    }
    Ok(())
}
