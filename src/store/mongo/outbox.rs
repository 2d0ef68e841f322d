//! Events that wait in the documents that they are about.
//!
//! **Invariant:** the events of one document are returned in the order in which they were written.

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
    store::{StoreError, outbox::WaitingEvents},
};

impl Engine {
    /// The stored events, each with its number.
    pub(super) fn prepare(&self, events: &[Envelope]) -> Result<Vec<Bson>, StoreError> {
        let kept = events.iter().filter(|envelope| self.keeps(envelope.event.name()));
        kept.map(|envelope| codec::waiting(self.sequence.next(), envelope)).collect()
    }

    /// Notifies the relays of this node and of the others.
    pub(super) fn notify(&self, there_is: bool) {
        if there_is {
            self.written.notify_one();
            (self.on_events)();
        }
    }
}

#[async_trait]
impl WaitingEvents for Engine {
    async fn waiting(&self, after: u64, limit: u32) -> Result<Vec<(u64, Envelope)>, StoreError> {
        let (outboxes, leases, after) = (self.outboxes(), self.leases.clone(), codec::long(after)?);
        let overflowed = Arc::clone(&self.overflowed);
        self.run(async move {
            let mut documents = vec![];
            for outbox in outboxes {
                // Otherwise another node relays them.
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

    async fn take_out(&self, sequences: &[u64]) -> Result<(), StoreError> {
        let numbers: Vec<i64> = sequences.iter().map(|number| codec::long(*number)).collect::<Result<_, _>>()?;
        let outboxes = self.outboxes();
        let overflowed = self.overflowed.swap(false, Ordering::Relaxed);
        self.run(async move {
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

    async fn carries_parked(&self) -> Result<bool, StoreError> {
        let (leases, of) = (self.leases.clone(), self.collections.parked_leases());
        self.run(async move { leases.hold("notification", &of).await }).await
    }

    async fn written(&self) {
        self.written.notified().await;
    }

    async fn forget_applied(&self, before: Timestamp) -> Result<(), StoreError> {
        // The server also deletes them by the index `expiry`, some minutes late.
        let applied = self.collections.dashboard_applied.clone();
        let older = doc! { "_id": { "$lt": codec::oid(first_id_of(before).bytes()) } };
        self.run(async move { applied.delete_many(older).await.map(|_| ()).map_err(|error| Failed::write(&error)) })
            .await
    }
}

/// The waiting events of each document, preceded by those that were moved out of it, and whether there are any of the
/// latter.
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

/// All events in the order of their numbers, but always in the order of their document, because the clocks of nodes
/// may differ.
fn merged(documents: Vec<Vec<(u64, Envelope)>>) -> Vec<(u64, Envelope)> {
    let mut keyed = vec![];
    for document in documents {
        let mut highest = 0;
        for (number, envelope) in document {
            highest = number.max(highest);
            keyed.push((highest, number, envelope));
        }
    }
    // A stable sort, so that events of one document with the same key stay in order.
    keyed.sort_by_key(|(key, ..)| *key);
    // Between moving and trimming, an event is in two documents.
    let mut seen = HashSet::new();
    keyed
        .into_iter()
        .map(|(_, number, envelope)| (number, envelope))
        .filter(|(number, _)| seen.insert(*number))
        .collect()
}
