//! Events that wait in the documents they tell of, and those that could not be handled.
//!
//! **Invariant:** the events of one document are handed out in the order in which they were
//! written to it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    engine::Engine,
    overflow,
};
use crate::{
    domain::{Timestamp, event::Envelope, ids::first_id_of},
    store::{OutboxStore, StoreError, outbox::Parked},
};

impl Engine {
    /// The events that are kept, each with its number.
    pub(super) fn prepare(&self, events: &[Envelope]) -> Result<Vec<Bson>, StoreError> {
        let kept = events.iter().filter(|envelope| self.keeps(envelope.event.name()));
        kept.map(|envelope| codec::waiting(self.sequence.next(), envelope)).collect()
    }

    /// Tells the relay that there is something to do, and those of other nodes.
    pub(super) fn wake(&self, there_is: bool) {
        if there_is {
            self.written.notify_one();
            (self.on_events)();
        }
    }
}

#[async_trait]
impl OutboxStore for Engine {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        let (outboxes, leases, after) = (self.outboxes(), self.leases.clone(), codec::long(after)?);
        let overflowed = Arc::clone(&self.overflowed);
        self.run(async move {
            let mut documents = vec![];
            for outbox in outboxes {
                // Else another node carries them on.
                if leases.hold(outbox.name, &outbox.leases).await? {
                    let (theirs, moved) = waiting(&outbox.events, after, limit).await?;
                    documents.extend(theirs);
                    overflowed.fetch_or(moved, Ordering::Relaxed);
                }
            }
            documents.sort_by_key(|document| document.first().map(|(number, _)| *number));
            let mut events: Vec<(u64, Envelope)> = merged(documents);
            events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(events)
        })
        .await
    }

    async fn settle(&self, sequences: &[u64], parked: &[Parked]) -> Result<(), StoreError> {
        let numbers: Vec<i64> = sequences.iter().map(|number| codec::long(*number)).collect::<Result<_, _>>()?;
        let rows: Vec<_> = parked
            .iter()
            .map(|parked| Ok((parked_name(parked), self.sequence.next(), row(parked)?)))
            .collect::<Result<_, StoreError>>()?;
        let (collections, outboxes) = (self.collections.clone(), self.outboxes());
        let overflowed = self.overflowed.swap(false, Ordering::Relaxed);
        self.run(async move {
            // First what failed: after a crash in between both are done again, under the same names.
            for (name, number, mut row) in rows {
                row.insert("n", codec::long(number)?);
                let put =
                    collections.parked.update_one(doc! { "_id": name }, doc! { "$setOnInsert": row }).upsert(true);
                match put.await {
                    Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
                    _ => {}
                }
            }
            if numbers.is_empty() {
                return Ok(());
            }
            for outbox in outboxes {
                let theirs = doc! { "outbox.n": { "$in": &numbers } };
                let taken = doc! { "$pull": { "outbox": { "n": { "$in": &numbers } } } };
                outbox.events.update_many(theirs, taken).await.map_err(|error| Failed::write(&error))?;
                if overflowed {
                    overflow::sweep(&outbox.events).await?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        let outboxes = self.outboxes();
        self.run(async move {
            let mut depth = 0_usize;
            for outbox in outboxes {
                let find = outbox.events.find(doc! { "outbox.n": { "$gt": 0_i64 } }).projection(doc! { "outbox.n": 1 });
                let lengths = codec::all(find, |row| Ok(row.get_array("outbox").map_or(0, Vec::len))).await?;
                depth += lengths.into_iter().sum::<usize>();
            }
            u64::try_from(depth).map_err(codec::corrupt)
        })
        .await
    }

    async fn retry_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let (parked, leases, of) = (self.collections.parked.clone(), self.leases.clone(), self.collections.clone());
        self.run(async move {
            if !leases.hold("notification", &of.parked_leases()).await? {
                return Ok(vec![]);
            }
            let due = doc! { "retryAt": { "$lte": now.as_microsecond() } };
            codec::all(parked.find(due).sort(doc! { "retryAt": 1, "n": 1 }).limit(limit.into()), read).await
        })
        .await
    }

    async fn repark(&self, id: u64, next: Option<&Parked>) -> Result<(), StoreError> {
        let (parked, this) = (self.collections.parked.clone(), doc! { "n": codec::long(id)? });
        let next = next.map(row).transpose()?;
        self.run(async move {
            let done = match next {
                None => parked.delete_one(this).await.map(|_| ()),
                Some(row) => parked.update_one(this, doc! { "$set": row }).await.map(|_| ()),
            };
            done.map_err(|error| Failed::write(&error))
        })
        .await
    }

    async fn dead(&self, after: u64, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let (parked, after) = (self.collections.parked.clone(), i64::try_from(after).unwrap_or(i64::MAX));
        self.run(async move {
            let dead = parked.find(doc! { "retryAt": Bson::Null, "n": { "$gt": after } });
            codec::all(dead.sort(doc! { "n": 1 }).limit(limit.into()), read).await
        })
        .await
    }

    async fn revive(&self, ids: &[u64], now: Timestamp) -> Result<u64, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| codec::long(*id)).collect::<Result<_, _>>()?;
        let parked = self.collections.parked.clone();
        self.run(async move {
            let dead = doc! { "n": { "$in": ids }, "retryAt": Bson::Null };
            let alive = doc! { "$set": { "attempts": 0_i64, "retryAt": now.as_microsecond() } };
            Ok(parked.update_many(dead, alive).await.map_err(|error| Failed::write(&error))?.matched_count)
        })
        .await
    }

    async fn written(&self) {
        self.written.notified().await;
    }

    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError> {
        // The server does so too, by the index `expiry`, some minutes late.
        let applied = self.collections.dashboard_applied.clone();
        let older = doc! { "_id": { "$lt": codec::oid(first_id_of(before).bytes()) } };
        self.run(async move { applied.delete_many(older).await.map(|_| ()).map_err(|error| Failed::write(&error)) })
            .await
    }
}

/// The waiting events of each document, with those that were moved out of it before them, and whether there are such.
async fn waiting(
    collection: &Collection<Document>,
    after: i64,
    limit: u32,
) -> Result<(Vec<Vec<(u64, Envelope)>>, bool), StoreError> {
    let find = collection
        .find(doc! { "outbox.n": { "$gt": after } })
        .sort(doc! { "outbox.n": 1 })
        .limit(limit.into())
        .projection(doc! { "outbox": 1 });
    let rows = codec::all(find, |row| {
        let entries = row.get_array("outbox").map_err(codec::corrupt)?;
        let mut events = vec![];
        for entry in entries.iter().filter_map(Bson::as_document) {
            let number = codec::whole(entry, "n")?;
            if number > after {
                events.push((u64::try_from(number).map_err(codec::corrupt)?, envelope(entry)?));
            }
        }
        Ok((overflow::origin(row.get("_id").unwrap_or(&Bson::Null)), events))
    });
    let rows: BTreeMap<_, _> = rows.await?.into_iter().collect();
    let (mut documents, mut moved) = (BTreeMap::<String, Vec<_>>::new(), false);
    for ((document, place), events) in rows {
        moved |= place != overflow::LAST;
        documents.entry(document).or_default().extend(events);
    }
    Ok((documents.into_values().collect(), moved))
}

pub(super) fn envelope(entry: &Document) -> Result<Envelope, StoreError> {
    let event = entry.get("event").cloned().unwrap_or(Bson::Null);
    codec::read(&doc! { "doc": event })
}

/// All events in the order of their numbers, but never against the order in their document:
/// the clocks of two nodes that wrote to it may differ.
fn merged(documents: Vec<Vec<(u64, Envelope)>>) -> Vec<(u64, Envelope)> {
    let mut keyed = vec![];
    for document in documents {
        let mut highest = 0;
        for (number, envelope) in document {
            highest = number.max(highest);
            keyed.push((highest, number, envelope));
        }
    }
    // Stable, so that those of one document with the same key stay as they are.
    keyed.sort_by_key(|(key, ..)| *key);
    // Between a move and its trim an event is in two documents.
    let mut seen = HashSet::new();
    keyed
        .into_iter()
        .map(|(_, number, envelope)| (number, envelope))
        .filter(|(number, _)| seen.insert(*number))
        .collect()
}

/// What is parked twice by a repeated settling is one.
pub(super) fn parked_name(parked: &Parked) -> String {
    let state = if parked.retry_at.is_some() { "retry" } else { "dead" };
    format!("{}:{}:{state}", parked.envelope.id, parked.queue)
}

/// The fields of a parked message besides its name and number.
pub(super) fn row(parked: &Parked) -> Result<Document, StoreError> {
    Ok(doc! {
        "queue": &parked.queue,
        "attempts": i64::from(parked.attempts),
        "retryAt": parked.retry_at.map(codec::micros_up),
        "reason": &parked.reason,
        "doc": codec::document(&parked.envelope)?,
    })
}

fn read(row: &Document) -> Result<Parked, StoreError> {
    Ok(Parked {
        id: codec::count(row, "n")?,
        queue: codec::string(row, "queue")?.to_owned(),
        envelope: codec::read(row)?,
        attempts: u32::try_from(codec::whole(row, "attempts")?).map_err(codec::corrupt)?,
        retry_at: codec::optional_time(row, "retryAt")?,
        reason: codec::string(row, "reason")?.to_owned(),
    })
}
