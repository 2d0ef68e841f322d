//! How many orders of a user may wait for their payment at once.
//!
//! A new order claims its place in a document of its user before it is written, by the version
//! that was read. An order that is there counts by its status; a claim counts until its order is
//! there, or until its writer is surely dead. So the document holds claims of a moment only and
//! is not moved by `microbazaar migrate`.
//!
//! **Invariant:** of orders that are written at once, on whatever node, no more than the limit
//! are `PENDING`.

use bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    engine::Collections,
};
use crate::{
    domain::{
        Timestamp,
        order::{Order, OrderStatus},
    },
    store::StoreError,
};

/// How often a claim is made anew when another writer was first.
const TRIES: u32 = 64;
/// After that long a claim without its order is one of a dead writer: longer than a call takes.
const ORPHAN_AFTER: i64 = 10_000_000;

/// A place that an order wants among the unpaid ones of its user.
pub(super) struct Place {
    orders: Collection<Document>,
    claims: Collection<Document>,
    user: ObjectId,
    order: ObjectId,
    cart_version: u64,
    max: u32,
}

/// An order that has a place and may not be there yet.
#[derive(Clone, Copy)]
struct Claim {
    order: ObjectId,
    at: i64,
}

impl Place {
    pub(super) fn new(all: &Collections, order: &Order, max: u32) -> Self {
        Self {
            orders: all.orders.clone(),
            claims: all.unpaid_claims.clone(),
            user: codec::oid(order.user.bytes()),
            order: codec::oid(order.id.bytes()),
            cart_version: order.cart_version,
            max,
        }
    }

    /// Writes the order, if there is a place for it.
    pub(super) async fn insert(&self, fields: Document, events: Vec<Bson>) -> Result<u64, StoreError> {
        self.claim().await?;
        let inserted = codec::save(&self.orders, self.order, 0, fields, events).await;
        // Not after a deadline, for then the order may be there. It would end by itself otherwise,
        // but keep another order out until then.
        if matches!(inserted, Err(StoreError::Duplicate(_)))
            && let Err(error) = self.give_up().await
        {
            tracing::debug!(%error, "a claim of an order that was refused waits for its end");
        }
        inserted
    }

    async fn claim(&self) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            // The claims first: an order that is written in between is among them, or later.
            let (version, claims) = self.read().await?;
            let (mut claims, unpaid) = self.count(claims).await?;
            if unpaid >= usize::try_from(self.max).unwrap_or(usize::MAX) {
                let of_cart = doc! { "user": self.user, "cartVersion": codec::long(self.cart_version)? };
                let ordered = codec::counted(&self.orders, of_cart).await? > 0;
                return Err(if ordered { StoreError::Duplicate("cart") } else { StoreError::Full("unpaid orders") });
            }
            claims.push(Claim { order: self.order, at: Timestamp::now().as_microsecond() });
            if self.write(version, &claims).await? {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    async fn give_up(&self) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let (version, mut claims) = self.read().await?;
            claims.retain(|claim| claim.order != self.order);
            if self.write(version, &claims).await? {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    /// The claims that still count for an order that is not there, and how many are unpaid in all.
    async fn count(&self, claims: Vec<Claim>) -> Result<(Vec<Claim>, usize), StoreError> {
        let pending = OrderStatus::Pending.as_str();
        let ids: Vec<ObjectId> = claims.iter().map(|claim| claim.order).collect();
        let filter = doc! { "$or": [{ "user": self.user, "status": pending }, { "_id": { "$in": ids } }] };
        let find = self.orders.find(filter).projection(doc! { "status": 1 });
        let known = codec::all(find, |row| {
            Ok((ObjectId::from_bytes(codec::id(row, "_id")?), codec::string(row, "status")? == pending))
        });
        let known = known.await?;
        let oldest = Timestamp::now().as_microsecond() - ORPHAN_AFTER;
        let mut open = claims;
        open.retain(|claim| claim.at >= oldest && !known.iter().any(|(order, _)| *order == claim.order));
        let unpaid = known.iter().filter(|(order, pending)| *pending && *order != self.order).count();
        let claimed = open.iter().filter(|claim| claim.order != self.order).count();
        open.retain(|claim| claim.order != self.order);
        Ok((open, unpaid + claimed))
    }

    async fn read(&self) -> Result<(u64, Vec<Claim>), StoreError> {
        let read = |row: &Document| {
            let claims = row.get_array("claims").into_iter().flatten().filter_map(Bson::as_document);
            let claims = claims.map(|claim| {
                Ok(Claim { order: ObjectId::from_bytes(codec::id(claim, "order")?), at: codec::whole(claim, "at")? })
            });
            Ok((codec::count(row, "version")?, claims.collect::<Result<Vec<_>, StoreError>>()?))
        };
        Ok(codec::first(&self.claims, doc! { "_id": self.user }, read).await?.unwrap_or_default())
    }

    /// Writes the claims over those of `version`; `false` when another writer was first.
    async fn write(&self, version: u64, claims: &[Claim]) -> Result<bool, StoreError> {
        let claims: Vec<Document> = claims.iter().map(|claim| doc! { "order": claim.order, "at": claim.at }).collect();
        let (old, new) = (codec::long(version)?, codec::long(version + 1)?);
        if version == 0 {
            let made = self.claims.insert_one(doc! { "_id": self.user, "version": new, "claims": claims }).await;
            return match made {
                Err(error) if codec::is_duplicate(&error) => Ok(false),
                Err(error) => Err(Failed::write(&error)),
                Ok(_) => Ok(true),
            };
        }
        let update = doc! { "$set": { "version": new, "claims": claims } };
        let written = self.claims.update_one(doc! { "_id": self.user, "version": old }, update).await;
        Ok(written.map_err(|error| Failed::write(&error))?.matched_count == 1)
    }
}
