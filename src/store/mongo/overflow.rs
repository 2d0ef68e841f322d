//! Overflow of events that wait for a long time, for example while the broker is unavailable for a day.
//!
//! A document contains a bounded number of events. A write that finds it full makes room first: an update that is
//! followed by a later one with the same name is dropped, and the rest, except for the newest, moves to separate
//! documents in the same collection, tombstones without keys. An interruption between moving and trimming leaves
//! events in both; their numbers identify the duplicates.
//!
//! **Invariant:** from its write until it is settled, an event is in its document or in an overflow document.

use std::collections::HashSet;

use bson::{Bson, Document, doc};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    documents,
    engine::Engine,
    outbox,
};
use crate::store::{
    StoreError,
    document::{DocumentId, Spec},
};

/// The most events that wait in one document.
const MOST: usize = 64;
/// A field that exists only when a document contains that many events.
pub(super) const FULL: &str = "outbox.63";

/// The prefix of overflow documents' names, followed by the id of their document and, in digits of fixed length, its
/// version and their position among those that were moved together.
const MOVED: &str = "events of ";
/// Sorts after all of them.
const BEHIND_MOVED: &str = "events of!";

impl Engine {
    /// Makes room in a document with this version if it is full; returns whether it was full.
    pub(super) async fn relieve(&self, of: &Spec, id: &DocumentId, version: u64) -> Result<bool, StoreError> {
        let (collection, name) = (self.place(of)?.collection, format!("{MOVED}{id} at {version:020}"));
        let full = doc! { "_id": documents::id(id), "version": codec::long(version)?, FULL: { "$exists": true } };
        self.run(async move {
            let read = |row: &Document| row.get_array("outbox").cloned().map_err(codec::corrupt);
            let Some(waiting) = codec::first(&collection, full.clone(), read).await? else { return Ok(false) };
            let (mut rest, mut taken) = without_repeated(waiting)?;
            if rest.len() > MOST / 2 {
                // The newest stays, so that later events keep their order.
                rest.pop();
                for (place, events) in rest.chunks(MOST).enumerate() {
                    let moved = doc! {
                        "_id": format!("{name}.{place:06}"), "version": 1_i64, "gone": true, "keys": {},
                        "doc": Bson::Null, "outbox": events.to_vec(),
                    };
                    match collection.insert_one(moved).await {
                        // Another writer was interrupted here, or is still working.
                        Err(error) if codec::is_duplicate(&error) => {}
                        inserted => drop(inserted.map_err(|error| Failed::write(&error))?),
                    }
                }
                let numbers = rest.iter().filter_map(Bson::as_document).map(|entry| codec::whole(entry, "n"));
                taken.extend(numbers.collect::<Result<Vec<_>, _>>()?);
            }
            let trim = doc! { "$pull": { "outbox": { "n": { "$in": taken } } } };
            let this = doc! { "_id": full.get("_id") };
            collection.update_one(this, trim).await.map_err(|error| Failed::write(&error))?;
            Ok(true)
        })
        .await
    }
}

/// The waiting events without superseded updates, and the numbers of the latter.
fn without_repeated(waiting: Vec<Bson>) -> Result<(Vec<Bson>, Vec<i64>), StoreError> {
    let (mut rest, mut repeated, mut later) = (vec![], vec![], HashSet::new());
    for entry in waiting.into_iter().rev() {
        let event = entry.as_document().ok_or_else(|| codec::corrupt("an event that is no document"))?;
        let waiting_event = outbox::envelope(event)?.event;
        if waiting_event.is_update() && !later.insert(waiting_event.name()) {
            repeated.push(codec::whole(event, "n")?);
        } else {
            rest.push(entry);
        }
    }
    rest.reverse();
    Ok((rest, repeated))
}

/// The id of the document that the events of a row belong to, and the row's position among its rows.
pub(super) fn origin(id: &Bson) -> (String, String) {
    match id {
        Bson::String(name) => match name.strip_prefix(MOVED).and_then(|name| name.rsplit_once(" at ")) {
            Some((id, at)) => (id.to_owned(), at.to_owned()),
            None => (name.clone(), LAST.to_owned()),
        },
        Bson::ObjectId(id) => (id.to_hex(), LAST.to_owned()),
        other => (other.to_string(), LAST.to_owned()),
    }
}

/// Sorts after the positions of moved events.
pub(super) const LAST: &str = "~";

/// Deletes overflow documents whose events are all settled.
pub(super) async fn sweep(collection: &Collection<Document>) -> Result<(), StoreError> {
    let settled = doc! { "_id": { "$gte": MOVED, "$lt": BEHIND_MOVED }, "outbox.0": { "$exists": false } };
    collection.delete_many(settled).await.map(|_| ()).map_err(|error| Failed::write(&error))
}
