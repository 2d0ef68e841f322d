//! The stock document of a product, and the documents of its allocations.
//!
//! The units that one attempt of an order has of a product are an *allocation*: held, sold, released or returned. A
//! stock document contains the allocations that changed lately, so that counts and allocations change in one write.
//! When there are many, they are moved to documents of their own, so that the stock document stays small.
//!
//! An allocation's own document is written while the stock document still contains it, and only then is it removed
//! from the stock document. A writer reads the stock document first and writes it last, if its version is unchanged,
//! so a decision based on an outdated allocation fails.
//!
//! **Invariant:** a document is written only where its version is the one that was read, and an allocation's state
//! only advances.

use std::{collections::BTreeMap, sync::Arc};

use bson::{Document, doc};
use jiff::SignedDuration;
use mongodb::Collection;

use super::super::codec::{self, Failed};
use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, ProductId},
        inventory::StockLevel,
    },
    store::{StoreError, sequence::Sequence},
};

/// How long an ended allocation is kept: longer than any call for its order may come.
const REMEMBER: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The key of an allocation: the order, and the number of its attempt to get the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AllocationKey {
    pub order: OrderId,
    pub attempt: i64,
}

impl AllocationKey {
    /// The field's name: hexadecimal digits and a number, never user input.
    fn field(&self) -> String {
        format!("{}_{}", self.order, self.attempt)
    }

    fn parse(field: &str) -> Result<Self, StoreError> {
        let (order, attempt) = field.split_once('_').ok_or_else(|| codec::corrupt("a hold without an attempt"))?;
        Ok(Self { order: order.parse().map_err(codec::corrupt)?, attempt: attempt.parse().map_err(codec::corrupt)? })
    }
}

/// The state of an allocation. It only advances, to `Released`, or through `Sold` to `Returned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AllocationState {
    Held,
    Released,
    Sold,
    Returned,
}

impl AllocationState {
    const ALL: [Self; 4] = [Self::Held, Self::Released, Self::Sold, Self::Returned];

    /// Its number in the database.
    fn rank(self) -> i64 {
        Self::ALL.iter().position(|state| *state == self).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
    }

    fn of_rank(rank: i64) -> Result<Self, StoreError> {
        let state = usize::try_from(rank).ok().and_then(|at| Self::ALL.get(at));
        state.copied().ok_or_else(|| codec::corrupt(format!("a share at stage {rank}")))
    }
}

/// The units that one attempt of an order has of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allocation {
    pub state: AllocationState,
    pub quantity: u32,
}

impl Allocation {
    fn document(self) -> Document {
        doc! { "stage": self.state.rank(), "quantity": i64::from(self.quantity) }
    }

    /// As a document of its own, besides its id.
    pub(super) fn alone(self) -> Document {
        let mut fields = self.document();
        if self.state != AllocationState::Held {
            let forget = Timestamp::now().saturating_add(REMEMBER).unwrap_or(Timestamp::MAX);
            fields.insert("forgetAt", codec::date(forget));
        }
        fields
    }

    fn read(row: &Document) -> Result<Self, StoreError> {
        Ok(Self {
            state: AllocationState::of_rank(codec::whole(row, "stage")?)?,
            quantity: u32::try_from(codec::whole(row, "quantity")?).map_err(codec::corrupt)?,
        })
    }
}

/// A stock document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    pub level: StockLevel,
    /// The allocations that changed lately.
    pub allocations: BTreeMap<AllocationKey, Allocation>,
    /// Whether the document is there.
    pub exists: bool,
}

impl Level {
    pub(super) fn empty(product: ProductId) -> Self {
        Self { level: StockLevel::empty(product), allocations: BTreeMap::new(), exists: false }
    }
}

/// The stock documents.
#[derive(Clone)]
pub(super) struct Stored {
    pub collection: Collection<Document>,
    /// The documents of allocations.
    pub allocations: Collection<Document>,
    /// Numbers for `StockChanged` events, when anybody wants them.
    pub sequence: Option<Arc<Sequence>>,
}

impl Stored {
    pub(super) async fn load(&self, product: ProductId) -> Result<Level, StoreError> {
        let filter = doc! { "_id": codec::oid(product.bytes()) };
        let found = codec::first(&self.collection, filter, |row| {
            let mut full = Level { level: read(row)?, exists: true, ..Level::empty(product) };
            for (field, value) in row.get_document("shares").into_iter().flatten() {
                let allocation = value.as_document().ok_or_else(|| codec::corrupt("a share that is none"))?;
                full.allocations.insert(AllocationKey::parse(field)?, Allocation::read(allocation)?);
            }
            Ok(full)
        })
        .await?;
        Ok(found.unwrap_or_else(|| Level::empty(product)))
    }

    /// The allocations of these keys that have documents of their own.
    pub(super) async fn moved(
        &self,
        product: ProductId,
        keys: &[AllocationKey],
    ) -> Result<BTreeMap<AllocationKey, Allocation>, StoreError> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<String> = keys.iter().map(|key| name(product, *key)).collect();
        let rows = codec::all(self.allocations.find(doc! { "_id": { "$in": names } }), |row| {
            let (_, field) =
                codec::string(row, "_id")?.split_once('_').ok_or_else(|| codec::corrupt("a share's id"))?;
            Ok((AllocationKey::parse(field)?, Allocation::read(row)?))
        });
        Ok(rows.await?.into_iter().collect())
    }

    /// Moves all allocations of a stock document to documents of their own; returns it without them, or `None` when
    /// another writer changed it meanwhile.
    pub(super) async fn move_out(&self, level: &Level) -> Result<Option<Level>, StoreError> {
        let product = level.level.product;
        for (key, allocation) in &level.allocations {
            let id = name(product, *key);
            let fields = allocation.alone();
            // An allocation that has advanced already stays as it is: inserting it again fails because of its id.
            let earlier = doc! { "_id": id, "stage": { "$lt": allocation.state.rank() } };
            match self.allocations.update_one(earlier, doc! { "$set": fields }).upsert(true).await {
                Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
                _ => {}
            }
        }
        let mut after = Level { allocations: BTreeMap::new(), ..level.clone() };
        after.level.version += 1;
        Ok(self.put(level, &after).await?.then_some(after))
    }

    /// Writes `after` where the document still is `before`; returns whether it was.
    pub(super) async fn put(&self, before: &Level, after: &Level) -> Result<bool, StoreError> {
        let mut set = fields(&after.level)?;
        let mut unset = Document::new();
        for (key, allocation) in
            after.allocations.iter().filter(|(key, allocation)| before.allocations.get(key) != Some(allocation))
        {
            set.insert(format!("shares.{}", key.field()), allocation.document());
        }
        for key in before.allocations.keys().filter(|key| !after.allocations.contains_key(key)) {
            unset.insert(format!("shares.{}", key.field()), "");
        }
        if let Some(sequence) = &self.sequence {
            // The newest event contains all that an older waiting one would.
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
        // No document has version -1: it is inserted here, or another writer has inserted it.
        let filter = doc! { "_id": id, "version": -1_i64 };
        match self.collection.update_one(filter, update).upsert(true).await {
            Ok(_) => Ok(true),
            Err(error) if codec::is_duplicate(&error) => Ok(false),
            Err(error) => Err(Failed::write(&error)),
        }
    }
}

/// The counts of a stock that changes now, as its document has them.
pub(super) fn fields(level: &StockLevel) -> Result<Document, StoreError> {
    Ok(doc! {
        "onHand": level.on_hand,
        "reserved": level.reserved,
        "available": level.available(),
        "sold": level.sold,
        "version": codec::long(level.version)?,
        "changedAt": Timestamp::now().as_microsecond(),
    })
}

/// The id of an allocation's document: digits and a number, never user input.
pub(super) fn name(product: ProductId, key: AllocationKey) -> String {
    format!("{product}_{}", key.field())
}

/// The counts of a stock document.
pub(in crate::store::mongo) fn read(row: &Document) -> Result<StockLevel, StoreError> {
    Ok(StockLevel {
        product: ProductId::from_bytes(codec::id(row, "_id")?),
        on_hand: codec::whole(row, "onHand")?,
        reserved: codec::whole(row, "reserved")?,
        sold: codec::whole(row, "sold")?,
        version: codec::count(row, "version")?,
    })
}
