//! The reservation's document: what is to happen to an order's lines, and how far it has come.
//!
//! **Invariant:** a step is written only if the version is the one that was read, so that of two concurrent decisions
//! one is made again.

use bson::{Document, doc};
use mongodb::Collection;

use super::{
    super::codec::{self, Failed},
    level::AllocationKey,
};
use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{Reservation, ReservationState, StockError, StockLine},
    },
    store::{
        StoreError,
        inventory::{Fence, StockMove, StockStoreError},
    },
};

/// The step of a reservation. Steps that end in *-ing still have work to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is held: the last attempt found too few units.
    Failed,
    /// Lines are being held.
    Reserving,
    /// All lines are held.
    Held,
    /// Lines are being held, to be sold at once.
    Retaking,
    /// Held lines are being sold.
    Committing,
    /// All lines are sold.
    Committed,
    /// Held lines are being given back.
    Releasing,
    /// Sold lines are being taken back.
    Returning,
    /// Nothing is held or sold.
    Released,
}

impl Step {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Failed, "failed"),
        (Self::Reserving, "reserving"),
        (Self::Held, "held"),
        (Self::Retaking, "retaking"),
        (Self::Committing, "committing"),
        (Self::Committed, "committed"),
        (Self::Releasing, "releasing"),
        (Self::Returning, "returning"),
        (Self::Released, "released"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, word)| word)
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        let known = Self::ALL.iter().find(|(_, known)| *known == word);
        known.map(|(step, _)| *step).ok_or_else(|| codec::corrupt(format!("a reservation that is {word}")))
    }

    /// The reservation as callers see it.
    const fn state(self) -> ReservationState {
        match self {
            Self::Reserving | Self::Held => ReservationState::Held,
            Self::Committing | Self::Committed => ReservationState::Committed,
            Self::Failed | Self::Retaking | Self::Releasing | Self::Returning | Self::Released => {
                ReservationState::Released
            }
        }
    }
}

/// A reservation as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredReservation {
    pub order: OrderId,
    pub step: Step,
    /// The number of this attempt to get the lines; allocations of an earlier attempt do not count for it.
    pub attempt: i64,
    pub lines: Vec<StockLine>,
    pub expires_at: Timestamp,
    /// The highest fence that it was called with.
    pub fence: u64,
    /// 0 when the document is not there yet.
    pub version: i64,
}

impl StoredReservation {
    pub(super) const fn new(order: OrderId, step: Step, lines: Vec<StockLine>, expires_at: Timestamp) -> Self {
        Self { order, step, attempt: 1, lines, expires_at, fence: 0, version: 0 }
    }

    pub(super) const fn key(&self) -> AllocationKey {
        AllocationKey { order: self.order, attempt: self.attempt }
    }

    /// Whether a call with this fence belongs to a decision that was overruled.
    pub(super) fn overrules(&self, fence: Fence) -> bool {
        fence.is_some_and(|fence| fence < self.fence)
    }

    /// This with another step, and the fence of the call that decided it.
    pub(super) fn to(&self, step: Step, fence: Fence) -> Self {
        Self { step, fence: self.fence.max(fence.unwrap_or(0)), ..self.clone() }
    }

    pub(super) fn reservation(&self) -> Reservation {
        Reservation {
            order: self.order,
            lines: self.lines.clone(),
            state: self.step.state(),
            expires_at: self.expires_at,
        }
    }

    pub(super) fn unmoved(&self) -> StockMove {
        StockMove { reservation: self.reservation(), changed: vec![] }
    }

    /// The reservation without a change.
    pub(super) fn unless_released(&self) -> Result<StockMove, StockStoreError> {
        match self.step.state() {
            ReservationState::Released => Err(StockError::Released.into()),
            ReservationState::Held | ReservationState::Committed => Ok(self.unmoved()),
        }
    }
}

pub(super) async fn load(
    collection: &Collection<Document>,
    order: OrderId,
) -> Result<Option<StoredReservation>, StoreError> {
    codec::first(collection, doc! { "_id": codec::oid(order.bytes()) }, read).await
}

/// Writes `next` where the document still is `from`; returns the written document, or `None` when another writer
/// changed it.
pub(super) async fn put(
    collection: &Collection<Document>,
    next: StoredReservation,
) -> Result<Option<StoredReservation>, StoreError> {
    let fields = fields(&next)?;
    let id = codec::oid(next.order.bytes());
    let written = if next.version == 0 {
        let mut made = fields;
        made.insert("_id", id);
        match collection.insert_one(made).await {
            Ok(_) => true,
            Err(error) if codec::is_duplicate(&error) => false,
            Err(error) => return Err(Failed::write(&error)),
        }
    } else {
        let filter = doc! { "_id": id, "version": next.version };
        let written = collection.update_one(filter, doc! { "$set": fields }).await;
        written.map_err(|error| Failed::write(&error))?.matched_count == 1
    };
    Ok(written.then(|| StoredReservation { version: next.version + 1, ..next }))
}

/// The fields of a reservation's document after its next write, besides its id.
pub(super) fn fields(next: &StoredReservation) -> Result<Document, StoreError> {
    let lines = next.lines.iter().map(|line| {
        doc! { "product": codec::oid(line.product.bytes()), "quantity": i64::from(line.quantity) }
    });
    Ok(doc! {
        "state": next.step.word(),
        "attempt": next.attempt,
        "lines": lines.collect::<Vec<_>>(),
        "expiresAt": next.expires_at.as_microsecond(),
        "fence": codec::long(next.fence)?,
        "version": next.version + 1,
    })
}

/// Expired reservations in these steps, the longest expired first.
pub(super) async fn expired(
    collection: &Collection<Document>,
    steps: &[Step],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredReservation>, StoreError> {
    let words: Vec<&str> = steps.iter().map(|step| step.word()).collect();
    let filter = doc! { "state": { "$in": words }, "expiresAt": { "$lte": now.as_microsecond() } };
    codec::all(collection.find(filter).sort(doc! { "expiresAt": 1 }).limit(limit.into()), read).await
}

fn read(row: &Document) -> Result<StoredReservation, StoreError> {
    let mut lines = vec![];
    for line in row.get_array("lines").into_iter().flatten().filter_map(bson::Bson::as_document) {
        lines.push(StockLine {
            product: ProductId::from_bytes(codec::id(line, "product")?),
            quantity: u32::try_from(codec::whole(line, "quantity")?).map_err(codec::corrupt)?,
        });
    }
    Ok(StoredReservation {
        order: OrderId::from_bytes(codec::id(row, "_id")?),
        step: Step::from_word(codec::string(row, "state")?)?,
        attempt: codec::whole(row, "attempt")?,
        lines,
        expires_at: codec::time(codec::whole(row, "expiresAt")?)?,
        fence: codec::count(row, "fence")?,
        version: codec::whole(row, "version")?,
    })
}
