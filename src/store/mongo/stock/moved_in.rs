//! Stock and reservations that another store kept, as documents of this one.
//!
//! **Invariant:** what a reservation holds or has sold stands as shares of its first try.

use bson::Document;

use super::{
    super::codec,
    level::{self, Share, Stage},
    reservation::{self, Known, Step},
};
use crate::{
    domain::inventory::{Reservation, ReservationState, StockLevel},
    store::StoreError,
};

/// A product's stock, without shares.
pub(in crate::store::mongo) fn stock_document(level: &StockLevel) -> Result<Document, StoreError> {
    let mut document = level::fields(level)?;
    document.insert("_id", codec::oid(level.product.bytes()));
    Ok(document)
}

/// A reservation, called with `fence` at most, and its shares.
pub(in crate::store::mongo) fn reservation_documents(
    reservation: &Reservation,
    fence: u64,
) -> Result<(Document, Vec<Document>), StoreError> {
    let (step, stage) = match reservation.state {
        ReservationState::Held => (Step::Held, Some(Stage::Held)),
        ReservationState::Committed => (Step::Committed, Some(Stage::Sold)),
        // A further try has other shares, and this one is asked for no more.
        ReservationState::Released => (Step::Released, None),
    };
    let made = Known::new(reservation.order, step, reservation.lines.clone(), reservation.expires_at);
    let known = Known { fence, ..made };
    let mut document = reservation::fields(&known)?;
    document.insert("_id", codec::oid(known.order.bytes()));
    let share = |line: &crate::domain::inventory::StockLine, stage| {
        let mut share = Share { stage, quantity: line.quantity }.alone();
        share.insert("_id", level::name(line.product, known.key()));
        share
    };
    let shares = stage.map(|stage| known.lines.iter().map(|line| share(line, stage)).collect());
    Ok((document, shares.unwrap_or_default()))
}
