//! Imports stock and reservations of another store as documents of this one.
//!
//! **Invariant:** what a reservation holds or has sold is stored as allocations of its first attempt.

use bson::Document;

use super::{
    super::codec,
    level::{self, Allocation, AllocationState},
    reservation::{self, Step, StoredReservation},
};
use crate::{
    domain::inventory::{Reservation, ReservationState, StockLevel},
    store::StoreError,
};

/// A product's stock, without allocations.
pub(in crate::store::mongo) fn stock_document(level: &StockLevel) -> Result<Document, StoreError> {
    let mut document = level::fields(level)?;
    document.insert("_id", codec::oid(level.product.bytes()));
    Ok(document)
}

/// A reservation whose highest fence is `fence`, and its allocations.
pub(in crate::store::mongo) fn reservation_documents(
    reservation: &Reservation,
    fence: u64,
) -> Result<(Document, Vec<Document>), StoreError> {
    let (step, state) = match reservation.state {
        ReservationState::Held => (Step::Held, Some(AllocationState::Held)),
        ReservationState::Committed => (Step::Committed, Some(AllocationState::Sold)),
        // A later attempt has its own allocations, and those of this one are not needed.
        ReservationState::Released => (Step::Released, None),
    };
    let made = StoredReservation::new(reservation.order, step, reservation.lines.clone(), reservation.expires_at);
    let known = StoredReservation { fence, ..made };
    let mut document = reservation::fields(&known)?;
    document.insert("_id", codec::oid(known.order.bytes()));
    let allocation = |line: &crate::domain::inventory::StockLine, state| {
        let mut allocation = Allocation { state, quantity: line.quantity }.alone();
        allocation.insert("_id", level::name(line.product, known.key()));
        allocation
    };
    let allocations = state.map(|state| known.lines.iter().map(|line| allocation(line, state)).collect());
    Ok((document, allocations.unwrap_or_default()))
}
