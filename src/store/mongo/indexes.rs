//! The indexes, created at the start where they are missing.
//!
//! **Invariant:** a name in this table never changes its meaning: errors are recognised by it.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{Collection, IndexModel, options::IndexOptions};

use super::{codec::Failed, engine::Engine};
use crate::store::StoreError;

/// The options of an index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// The server deletes a document when the time in the field has passed.
    Expiry,
}

struct Index<'a> {
    collection: &'a Collection<Document>,
    name: &'static str,
    keys: Document,
    kind: Kind,
}

pub(super) async fn ensure(engine: &Engine) -> Result<(), StoreError> {
    let all = engine.collections.clone();
    let index = |collection, name, keys, kind| Index { collection, name, keys, kind };
    let table = [
        index(&all.stock, "changed", doc! { "changedAt": 1 }, Kind::Plain),
        index(&all.allocations, "expiry", doc! { "forgetAt": 1 }, Kind::Expiry),
        index(&all.reservations, "expiry_by_state", doc! { "state": 1, "expiresAt": 1 }, Kind::Plain),
        index(&all.dashboard_orders, "seller", doc! { "lines.seller": 1, "createdAt": -1 }, Kind::Plain),
        index(&all.dashboard_orders, "to_ship", doc! { "toShip": 1, "createdAt": 1 }, Kind::Plain),
        index(&all.dashboard_products, "seller", doc! { "seller": 1, "gone": 1, "_id": -1 }, Kind::Plain),
        index(&all.dashboard_applied, "expiry", doc! { "forgetAt": 1 }, Kind::Expiry),
    ];
    for row in table {
        make(engine, row).await?;
    }
    for outbox in all.with_outbox() {
        let keys = doc! { "outbox.n": 1 };
        make(engine, Index { collection: &outbox.events, name: "outbox", keys, kind: Kind::Plain }).await?;
    }
    Ok(())
}

async fn make(engine: &Engine, index: Index<'_>) -> Result<(), StoreError> {
    let collection = index.collection.clone();
    let mut options = IndexOptions::default();
    options.name = Some(index.name.to_owned());
    options.expire_after = (index.kind == Kind::Expiry).then_some(Duration::ZERO);
    let model = IndexModel::builder().keys(index.keys).options(options).build();
    engine
        .run(async move { collection.create_index(model).await.map(|_| ()).map_err(|error| Failed::read(&error)) })
        .await
}
