//! Events that wait while nobody carries them on, as while the broker is away for a day.
//!
//! A document carries a bounded number of them. A write that finds it full makes room first: an update that is followed
//! by another of its name is left out, and what is left but for the newest moves to documents of its own in the same
//! collection, tombstones without keys. Whoever is cut off between the move and the trim leaves events in both; their
//! numbers tell that they are the same.
//!
//! **Invariant:** an event is in the document or in one that was moved out of it from its write until it is settled.

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

/// How many events wait in one document at most.
const MOST: usize = 64;
/// The field that a document has only when it carries that many.
pub(super) const FULL: &str = "outbox.63";

/// Begins the names of documents of events. What follows is the id and, in digits of one length, the version of the
/// document that they were moved out of, and their place among those that were moved with them.
const MOVED: &str = "events of ";
/// Behind all of them.
const BEHIND_MOVED: &str = "events of!";

impl Engine {
    /// Makes room in a document of this version if it is full; returns whether it was.
    pub(super) async fn relieve(&self, of: &Spec, id: &DocumentId, version: u64) -> Result<bool, StoreError> {
        let (collection, name) = (self.place(of)?.collection, format!("{MOVED}{id} at {version:020}"));
        let full = doc! { "_id": documents::id(id), "version": codec::long(version)?, FULL: { "$exists": true } };
        self.run(async move {
            let read = |row: &Document| row.get_array("outbox").cloned().map_err(codec::corrupt);
            let Some(waiting) = codec::first(&collection, full.clone(), read).await? else { return Ok(false) };
            let (mut rest, mut taken) = without_repeated(waiting)?;
            if rest.len() > MOST / 2 {
                // The newest stays: whatever is written after it comes after it.
                rest.pop();
                for (place, events) in rest.chunks(MOST).enumerate() {
                    let moved = doc! {
                        "_id": format!("{name}.{place:06}"), "version": 1_i64, "gone": true, "keys": {},
                        "doc": Bson::Null, "outbox": events.to_vec(),
                    };
                    match collection.insert_one(moved).await {
                        // Somebody was cut off here, or is at it.
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

/// What waits without the updates that are followed by another of their name, and the numbers of those.
fn without_repeated(waiting: Vec<Bson>) -> Result<(Vec<Bson>, Vec<i64>), StoreError> {
    let (mut rest, mut repeated, mut later) = (vec![], vec![], HashSet::new());
    for entry in waiting.into_iter().rev() {
        let event = entry.as_document().ok_or_else(|| codec::corrupt("an event that is no document"))?;
        let happened = outbox::envelope(event)?.event;
        if happened.is_update() && !later.insert(happened.name()) {
            repeated.push(codec::whole(event, "n")?);
        } else {
            rest.push(entry);
        }
    }
    rest.reverse();
    Ok((rest, repeated))
}

/// The id of the document that carries or carried the events of a row, and the row's place among those with its events.
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

/// Sorts behind the places of what was moved.
pub(super) const LAST: &str = "~";

/// Deletes the documents of events whose events are all settled.
pub(super) async fn sweep(collection: &Collection<Document>) -> Result<(), StoreError> {
    let settled = doc! { "_id": { "$gte": MOVED, "$lt": BEHIND_MOVED }, "outbox.0": { "$exists": false } };
    collection.delete_many(settled).await.map(|_| ()).map_err(|error| Failed::write(&error))
}
