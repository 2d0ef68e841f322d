//! Applies changes to the read model, each once, and never an older one over a newer one.
//!
//! An event is marked as applied after its row is written; a crash in between repeats a write that changes nothing,
//! because each write compares versions.

use std::collections::HashSet;

use bson::{Bson, Document, doc, oid::ObjectId};
use jiff::SignedDuration;
use mongodb::Collection;

use super::super::{
    codec::{self, Failed},
    engine::Collections,
};
use crate::{
    domain::{Timestamp, ids::EventId},
    store::{
        StoreError,
        dashboard::{DashboardChange, OrderRow},
    },
};

/// How long the record of an applied event is kept.
const REMEMBER: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) async fn all(all: &Collections, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError> {
    let ids: Vec<ObjectId> = changes.iter().map(|(event, _)| codec::oid(event.bytes())).collect();
    let find = all.dashboard_applied.find(doc! { "_id": { "$in": &ids } }).projection(doc! { "_id": 1 });
    let mut applied: HashSet<[u8; 12]> = codec::all(find, |row| codec::id(row, "_id")).await?.into_iter().collect();
    let until = forget_at();
    let mut marks = vec![];
    for (event, change) in changes {
        if applied.insert(event.bytes()) {
            one(all, change).await?;
            marks.push(doc! { "_id": codec::oid(event.bytes()), "forgetAt": until });
        }
    }
    if marks.is_empty() {
        return Ok(());
    }
    match all.dashboard_applied.insert_many(&marks).ordered(false).await {
        Err(error) if !codec::is_duplicate(&error) => Err(Failed::write(&error)),
        _ => Ok(()),
    }
}

/// The fields of a deleted product, besides its seller.
pub(in crate::store::mongo) fn gone() -> Document {
    doc! { "gone": true, "json": Bson::Null, "version": i64::MAX }
}

/// When the record of an event applied now expires.
pub(in crate::store::mongo) fn forget_at() -> bson::DateTime {
    codec::date(Timestamp::now().saturating_add(REMEMBER).unwrap_or(Timestamp::MAX))
}

async fn one(all: &Collections, change: &DashboardChange) -> Result<(), StoreError> {
    match change {
        DashboardChange::Order(row) => {
            put(&all.dashboard_orders, codec::oid(row.id.bytes()), row.version, order(row)?).await
        }
        DashboardChange::Product { id, seller, version, document } => {
            let fields = doc! { "seller": codec::oid(seller.bytes()), "json": codec::text(document)? };
            put(&all.dashboard_products, codec::oid(id.bytes()), *version, fields).await
        }
        DashboardChange::ProductGone(id) => {
            // A row without a document stays, so that an older event does not bring it back.
            let gone = doc! { "$set": gone() };
            upsert(&all.dashboard_products, doc! { "_id": codec::oid(id.bytes()) }, gone).await
        }
        DashboardChange::Note { kind, id, document } => {
            let note = doc! { "$set": { "json": codec::text(document)? } };
            upsert(&all.dashboard_notes, doc! { "_id": { "kind": *kind, "id": id } }, note).await
        }
    }
}

/// Writes a row unless the existing one is as new.
async fn put(
    collection: &Collection<Document>,
    id: ObjectId,
    version: u64,
    mut fields: Document,
) -> Result<(), StoreError> {
    let version = codec::long(version)?;
    fields.insert("version", version);
    // If the row is newer, the filter matches none, and the insert fails because of its id.
    upsert(collection, doc! { "_id": id, "version": { "$lt": version } }, doc! { "$set": fields }).await
}

async fn upsert(collection: &Collection<Document>, filter: Document, update: Document) -> Result<(), StoreError> {
    match collection.update_one(filter.clone(), update.clone()).upsert(true).await {
        // Either the row is newer, or another node inserted an older one at the same moment; the second attempt
        // decides.
        Err(error) if codec::is_duplicate(&error) => collection.update_one(filter, update).await.map(|_| ()),
        written => written.map(|_| ()),
    }
    .map_err(|error| Failed::write(&error))
}

/// The fields of an order's row besides its id and version.
pub(in crate::store::mongo) fn order(row: &OrderRow) -> Result<Document, StoreError> {
    let lines = row.lines.iter().map(|line| {
        doc! {
            "seller": codec::oid(line.seller.bytes()),
            "product": codec::oid(line.product.bytes()),
            "title": &line.title,
            "quantity": i64::from(line.quantity),
            "priceMinor": line.price.minor(),
            "currency": line.price.currency().code(),
            "toShip": line.to_ship,
            "refundedUnits": i64::from(line.refunded_units),
            "refundedMinor": line.refunded_minor,
        }
    });
    let mut to_ship: Vec<ObjectId> =
        row.lines.iter().filter(|line| line.to_ship).map(|line| codec::oid(line.seller.bytes())).collect();
    to_ship.sort_unstable();
    to_ship.dedup();
    Ok(doc! {
        "status": row.status.as_str(),
        "isSale": row.status.is_sale(),
        "createdAt": codec::micros_up(row.created_at),
        "lines": lines.collect::<Vec<_>>(),
        "toShip": to_ship,
        "json": codec::text(&row.document)?,
    })
}
