//! Leases that decide which node relays a database's events: one node at a time, and another soon after it dies.
//!
//! A lease is renewed long before it ends. Two nodes whose clocks differ by more than [`LASTS`] may hold a lease at
//! the same time: events are then delivered twice and applied once.
//!
//! **Invariant:** a node that has not renewed a lease in time does not act as its holder.

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
/// How long the answer about a lease is cached, held or not.
const KNOWN: Duration = Duration::from_secs(1);
const REFUSED: Duration = Duration::from_millis(250);

/// This node's leases.
pub(super) struct Leases {
    node: ObjectId,
    /// By database: whether the lease was held, and when that was checked.
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

    /// Releases a lease, so that another node need not wait until it expires.
    pub(super) async fn give_back(&self, collection: &Collection<Document>) -> Result<(), StoreError> {
        self.known.lock().clear();
        let ours = doc! { "_id": "outbox", "owner": self.node };
        collection.delete_one(ours).await.map(|_| ()).map_err(|error| Failed::write(&error))
    }
}
