//! The stock document of a product, and the documents of who has units of it.
//!
//! What an order's try has of a product is a *share*: held, sold, released or returned. A
//! stock document carries the shares that changed lately, so that counts and shares change
//! in one write; when they become many they are moved to documents of their own, and the
//! stock document stays small however many hold units of it.
//!
//! A share's document is written after the stock document had it, and taken out of that only
//! afterwards; whoever decides reads the stock document first and writes it last, by its
//! version. So a decision on an outdated share fails.
//!
//! **Invariant:** a document is written only where its version is the one that was read, and
//! a share only moves on.

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

/// How long a share that has ended is known: longer than anybody may ask for its order.
const REMEMBER: SignedDuration = SignedDuration::from_hours(400 * 24);

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

/// How far a share is; it only moves to the right, to `Released` or over `Sold` to `Returned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Held,
    Released,
    Sold,
    Returned,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Held, Self::Released, Self::Sold, Self::Returned];

    /// The number that stands for it.
    fn rank(self) -> i64 {
        Self::ALL.iter().position(|stage| *stage == self).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
    }

    fn of_rank(rank: i64) -> Result<Self, StoreError> {
        let stage = usize::try_from(rank).ok().and_then(|at| Self::ALL.get(at));
        stage.copied().ok_or_else(|| codec::corrupt(format!("a share at stage {rank}")))
    }
}

/// What an order's try has of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub stage: Stage,
    pub quantity: u32,
}

impl Share {
    fn document(self) -> Document {
        doc! { "stage": self.stage.rank(), "quantity": i64::from(self.quantity) }
    }

    /// As a document of its own, besides its id.
    pub(super) fn alone(self) -> Document {
        let mut fields = self.document();
        if self.stage != Stage::Held {
            let forget = Timestamp::now().saturating_add(REMEMBER).unwrap_or(Timestamp::MAX);
            fields.insert("forgetAt", codec::date(forget));
        }
        fields
    }

    fn read(row: &Document) -> Result<Self, StoreError> {
        Ok(Self {
            stage: Stage::of_rank(codec::whole(row, "stage")?)?,
            quantity: u32::try_from(codec::whole(row, "quantity")?).map_err(codec::corrupt)?,
        })
    }
}

/// A stock document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    pub level: StockLevel,
    /// The shares that changed lately.
    pub shares: BTreeMap<HoldKey, Share>,
    /// Whether the document is there.
    pub exists: bool,
}

impl Level {
    pub(super) fn empty(product: ProductId) -> Self {
        Self { level: StockLevel::empty(product), shares: BTreeMap::new(), exists: false }
    }
}

/// The stock documents.
#[derive(Clone)]
pub(super) struct Stored {
    pub collection: Collection<Document>,
    /// The documents of shares.
    pub shares: Collection<Document>,
    /// Numbers for `StockChanged` events, when anybody wants them.
    pub sequence: Option<Arc<Sequence>>,
}

impl Stored {
    pub(super) async fn load(&self, product: ProductId) -> Result<Level, StoreError> {
        let filter = doc! { "_id": codec::oid(product.bytes()) };
        let found = codec::first(&self.collection, filter, |row| {
            let mut full = Level { level: read(row)?, exists: true, ..Level::empty(product) };
            for (field, value) in row.get_document("shares").into_iter().flatten() {
                let share = value.as_document().ok_or_else(|| codec::corrupt("a share that is none"))?;
                full.shares.insert(HoldKey::parse(field)?, Share::read(share)?);
            }
            Ok(full)
        })
        .await?;
        Ok(found.unwrap_or_else(|| Level::empty(product)))
    }

    /// The shares of these keys that have a document of their own.
    pub(super) async fn moved(
        &self,
        product: ProductId,
        keys: &[HoldKey],
    ) -> Result<BTreeMap<HoldKey, Share>, StoreError> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<String> = keys.iter().map(|key| name(product, *key)).collect();
        let rows = codec::all(self.shares.find(doc! { "_id": { "$in": names } }), |row| {
            let (_, field) =
                codec::string(row, "_id")?.split_once('_').ok_or_else(|| codec::corrupt("a share's id"))?;
            Ok((HoldKey::parse(field)?, Share::read(row)?))
        });
        Ok(rows.await?.into_iter().collect())
    }

    /// Moves all shares of a stock document to documents of their own; returns it without
    /// them, or `None` when somebody else wrote it meanwhile.
    pub(super) async fn move_out(&self, level: &Level) -> Result<Option<Level>, StoreError> {
        let product = level.level.product;
        for (key, share) in &level.shares {
            let id = name(product, *key);
            let fields = share.alone();
            // One that is further already stays: making it a second time fails for its id.
            let earlier = doc! { "_id": id, "stage": { "$lt": share.stage.rank() } };
            match self.shares.update_one(earlier, doc! { "$set": fields }).upsert(true).await {
                Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
                _ => {}
            }
        }
        let mut after = Level { shares: BTreeMap::new(), ..level.clone() };
        after.level.version += 1;
        Ok(self.put(level, &after).await?.then_some(after))
    }

    /// Writes `after` where the document still is `before`; returns whether it was.
    pub(super) async fn put(&self, before: &Level, after: &Level) -> Result<bool, StoreError> {
        let mut set = fields(&after.level)?;
        let mut unset = Document::new();
        for (key, share) in after.shares.iter().filter(|(key, share)| before.shares.get(key) != Some(share)) {
            set.insert(format!("shares.{}", key.field()), share.document());
        }
        for key in before.shares.keys().filter(|key| !after.shares.contains_key(key)) {
            unset.insert(format!("shares.{}", key.field()), "");
        }
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

/// The id of a share's document: digits and a number, nothing that anybody typed.
pub(super) fn name(product: ProductId, key: HoldKey) -> String {
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
