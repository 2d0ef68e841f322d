//! Who carries a database's events on: one node at a time, and another soon after it dies.
//!
//! A lease is renewed long before it ends. Two nodes whose clocks differ by more than
//! [`LASTS`] may hold one at once: events are then told twice and applied once.
//!
//! **Invariant:** a node that has not renewed a lease in time does not believe to hold it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bson::{Document, doc, oid::ObjectId};
use mongodb::Collection;
use parking_lot::Mutex;

use super::codec::{self, Failed};
use crate::{domain::Timestamp, store::StoreError};

/// How long a lease lasts.
const LASTS: Duration = Duration::from_secs(5);
/// For how long a lease is not asked for again, held or not.
const KNOWN: Duration = Duration::from_secs(1);
const REFUSED: Duration = Duration::from_millis(250);

/// This node's leases.
pub(super) struct Leases {
    node: ObjectId,
    /// By database: whether it was held, and when that was asked for.
    known: Mutex<HashMap<&'static str, (bool, Instant)>>,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self { node: ObjectId::new(), known: Mutex::new(HashMap::new()) }
    }

    /// Whether this node holds the lease of the database `name`, whose leases are in `collection`.
    pub(super) async fn hold(&self, name: &'static str, collection: &Collection<Document>) -> Result<bool, StoreError> {
        if let Some((held, at)) = self.known.lock().get(name).copied()
            && at.elapsed() < if held { KNOWN } else { REFUSED }
        {
            return Ok(held);
        }
        let asked = Instant::now();
        let now = Timestamp::now().as_microsecond();
        let until = now + i64::try_from(LASTS.as_micros()).map_err(codec::corrupt)?;
        let free = [doc! { "owner": self.node }, doc! { "until": { "$lt": now } }];
        let ours = doc! { "$set": { "owner": self.node, "until": until } };
        let taken = collection.update_one(doc! { "_id": "outbox", "$or": free.to_vec() }, ours).upsert(true).await;
        let held = match taken {
            Ok(_) => true,
            Err(error) if codec::is_duplicate(&error) => false,
            Err(error) => return Err(Failed::write(&error)),
        };
        self.known.lock().insert(name, (held, asked));
        Ok(held)
    }

    /// Gives a lease back, so that another node need not wait for its end.
    pub(super) async fn give_back(&self, collection: &Collection<Document>) -> Result<(), StoreError> {
        self.known.lock().clear();
        let ours = doc! { "_id": "outbox", "owner": self.node };
        collection.delete_one(ours).await.map(|_| ()).map_err(|error| Failed::write(&error))
    }
}
