//! Converts records into documents with their collections.

use bson::{Bson, Document, doc};
use mongodb::Collection;

use super::super::{
    cluster, codec,
    dashboard::apply,
    engine::{Collections, Engine},
    stock,
};
use crate::{
    domain::{
        event::{About, Envelope},
        payment::Payment,
        product::Product,
        user::User,
    },
    store::{StoreError, document::Document as _, orders::StoredOrder, transfer::Record},
};

/// A document and its collection.
pub(super) type Placed = (Collection<Document>, Document);

/// The documents of a record that is not a document itself; none for an event, which is part of another document.
pub(super) fn documents(all: &Collections, record: Record) -> Result<Vec<Placed>, StoreError> {
    let (place, document) = match record {
        Record::Counter(value) => {
            (&all.counters, doc! { "_id": "products", "value": codec::long(value)?, "onTheirWay": [] })
        }
        Record::Picture(name, bytes) => (&all.files, named(name, cluster::file(bytes))),
        Record::Stock(level) => (&all.stock, stock::stock_document(&level)?),
        Record::Reservation(reservation, fence) => {
            let (reservation, allocations) = stock::reservation_documents(&reservation, fence)?;
            let mut placed: Vec<Placed> =
                allocations.into_iter().map(|allocation| (all.allocations.clone(), allocation)).collect();
            placed.push((all.reservations.clone(), reservation));
            return Ok(placed);
        }
        Record::DashboardOrder(row) => {
            let mut fields = apply::order(&row)?;
            fields.insert("version", codec::long(row.version)?);
            (&all.dashboard_orders, named(codec::oid(row.id.bytes()), fields))
        }
        Record::DashboardProduct { id, seller, version, document } => {
            let mut fields = match &document {
                Some(document) => doc! { "version": codec::long(version)?, "json": codec::text(document)? },
                None => apply::gone(),
            };
            if let Some(seller) = seller {
                fields.insert("seller", codec::oid(seller.bytes()));
            }
            (&all.dashboard_products, named(codec::oid(id.bytes()), fields))
        }
        Record::DashboardNote { kind, id, document } => {
            (&all.dashboard_notes, named(doc! { "kind": kind, "id": id }, doc! { "json": codec::text(&document)? }))
        }
        Record::DashboardApplied(event) => {
            (&all.dashboard_applied, named(codec::oid(event.bytes()), doc! { "forgetAt": apply::forget_at() }))
        }
        Record::Document(..) | Record::Event(..) => return Ok(vec![]),
    };
    Ok(vec![(place.clone(), document)])
}

fn named(id: impl Into<Bson>, mut fields: Document) -> Document {
    fields.insert("_id", id);
    fields
}

/// The collection of the document that an event is about.
pub(super) fn carrier(engine: &Engine, envelope: &Envelope) -> Result<Collection<Document>, StoreError> {
    let collection = match envelope.event.about() {
        About::User(_) => User::COLLECTION,
        About::Product(_) => Product::COLLECTION,
        About::Stock(_) => return Ok(engine.collections.stock.clone()),
        About::Order(_) => StoredOrder::COLLECTION,
        About::Payment(_) => Payment::COLLECTION,
        About::Other { collection, .. } => collection,
    };
    Ok(engine.place_named(collection)?.collection)
}
