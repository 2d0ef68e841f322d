//! The stock document of a product.
//!
//! **Invariant:** a document is written only where its version is the one that was read.

use std::{collections::BTreeMap, sync::Arc};

use bson::{Document, doc};
use mongodb::Collection;

use super::super::{
    codec::{self, Failed},
    sequence::Sequence,
};
use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, ProductId},
        inventory::StockLevel,
    },
    store::StoreError,
};

/// Which units of an order's: its id and which try of it to get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HoldKey {
    pub order: OrderId,
    pub attempt: i64,
}

impl HoldKey {
    /// The field's name: hexadecimal digits and a number, nothing that anybody typed.
    fn field(&self) -> String {
        format!("{}_{}", self.order, self.attempt)
    }

    fn parse(field: &str) -> Result<Self, StoreError> {
        let (order, attempt) = field.split_once('_').ok_or_else(|| codec::corrupt("a hold without an attempt"))?;
        Ok(Self { order: order.parse().map_err(codec::corrupt)?, attempt: attempt.parse().map_err(codec::corrupt)? })
    }
}

/// A stock document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    pub level: StockLevel,
    /// Units that are reserved, by whom.
    pub holds: BTreeMap<HoldKey, u32>,
    /// Holds that ended lately, and when: so that a late echo does not hold again.
    pub ended: BTreeMap<HoldKey, i64>,
    /// Sold units that came back lately, and when: so that they come back once.
    pub returns: BTreeMap<HoldKey, i64>,
    /// Whether the document is there.
    pub exists: bool,
}

impl Level {
    pub(super) fn empty(product: ProductId) -> Self {
        let level = StockLevel::empty(product);
        Self { level, holds: BTreeMap::new(), ended: BTreeMap::new(), returns: BTreeMap::new(), exists: false }
    }
}

/// The stock documents.
#[derive(Clone)]
pub(super) struct Stored {
    pub collection: Collection<Document>,
    /// Numbers for `StockChanged` events, when anybody wants them.
    pub sequence: Option<Arc<Sequence>>,
}

impl Stored {
    pub(super) async fn load(&self, product: ProductId) -> Result<Level, StoreError> {
        let filter = doc! { "_id": codec::oid(product.bytes()) };
        let found = codec::first(&self.collection, filter, |row| {
            let mut full = Level { level: read(row)?, exists: true, ..Level::empty(product) };
            for (field, value) in row.get_document("holds").into_iter().flatten() {
                let quantity = value.as_i64().and_then(|quantity| u32::try_from(quantity).ok());
                full.holds.insert(HoldKey::parse(field)?, quantity.ok_or_else(|| codec::corrupt("a hold of nothing"))?);
            }
            full.ended = times(row, "ended")?;
            full.returns = times(row, "returns")?;
            Ok(full)
        })
        .await?;
        Ok(found.unwrap_or_else(|| Level::empty(product)))
    }

    /// Writes `after` where the document still is `before`; returns whether it was.
    pub(super) async fn put(&self, before: &Level, after: &Level) -> Result<bool, StoreError> {
        let mut set = doc! {
            "onHand": after.level.on_hand,
            "reserved": after.level.reserved,
            "available": after.level.available(),
            "sold": after.level.sold,
            "version": codec::long(after.level.version)?,
        };
        let mut unset = Document::new();
        changed(&mut set, &mut unset, "holds", &before.holds, &after.holds);
        changed(&mut set, &mut unset, "ended", &before.ended, &after.ended);
        changed(&mut set, &mut unset, "returns", &before.returns, &after.returns);
        if let Some(sequence) = &self.sequence {
            // The newest tells all that an older one that still waits would have told.
            let event = Envelope::new(Event::StockChanged(after.level), Timestamp::now());
            set.insert("outbox", [codec::waiting(sequence.next(), &event)?].to_vec());
        }
        let mut update = doc! { "$set": set };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        let id = codec::oid(after.level.product.bytes());
        if before.exists {
            let filter = doc! { "_id": id, "version": codec::long(before.level.version)? };
            let written = self.collection.update_one(filter, update).await.map_err(|error| Failed::write(&error))?;
            return Ok(written.matched_count == 1);
        }
        // No document has version -1: it is made here, or somebody else made it.
        let filter = doc! { "_id": id, "version": -1_i64 };
        match self.collection.update_one(filter, update).upsert(true).await {
            Ok(_) => Ok(true),
            Err(error) if codec::is_duplicate(&error) => Ok(false),
            Err(error) => Err(Failed::write(&error)),
        }
    }
}

/// The entries that came, as fields to set, and those that went, as fields to unset.
fn changed<V: Copy + Into<i64>>(
    set: &mut Document,
    unset: &mut Document,
    map: &str,
    before: &BTreeMap<HoldKey, V>,
    after: &BTreeMap<HoldKey, V>,
) {
    for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(key)) {
        let value: i64 = (*value).into();
        set.insert(format!("{map}.{}", key.field()), value);
    }
    for key in before.keys().filter(|key| !after.contains_key(key)) {
        unset.insert(format!("{map}.{}", key.field()), "");
    }
}

fn times(row: &Document, map: &str) -> Result<BTreeMap<HoldKey, i64>, StoreError> {
    let entries = row.get_document(map).into_iter().flatten();
    entries.map(|(field, at)| Ok((HoldKey::parse(field)?, at.as_i64().unwrap_or_default()))).collect()
}

/// The counts of a stock document.
pub(super) fn read(row: &Document) -> Result<StockLevel, StoreError> {
    Ok(StockLevel {
        product: ProductId::from_bytes(codec::id(row, "_id")?),
        on_hand: codec::whole(row, "onHand")?,
        reserved: codec::whole(row, "reserved")?,
        sold: codec::whole(row, "sold")?,
        version: codec::count(row, "version")?,
    })
}
