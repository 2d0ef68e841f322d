//! Stock and reservations. Each call is one job, so that all of its lines change or none does.
//!
//! **Invariant:** the arithmetic is in [`crate::domain::inventory`]; nothing here adds or subtracts units, and the
//! table refuses a row that would break `0 <= reserved <= on_hand`.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine, writer::WriteTx};
use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, ProductId},
        inventory::{Reservation, ReservationState, Shortage, StockError, StockLevel, StockLine, added_up},
    },
    store::{
        StockStore,
        inventory::{Fence, StockMove, StockStoreError},
    },
};

/// The name of [`Event::StockChanged`].
const STOCK_CHANGED: &str = "STOCK_CHANGED";
/// The columns that [`read_level`] reads.
pub(super) const LEVEL: &str = "product, on_hand, reserved, sold, version";
/// The columns that [`read_reservation`] reads.
pub(super) const RESERVATION: &str = "order_id, state, expires_at, lines, fence";

#[async_trait]
impl StockStore for Engine {
    async fn get(&self, product: ProductId) -> Result<Option<StockLevel>, StoreError> {
        self.read(move |connection| level(connection, product)).await
    }

    async fn many(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, StoreError> {
        let products = products.to_vec();
        self.read_snapshot(move |connection| {
            products.iter().filter_map(|product| level(connection, *product).transpose()).collect()
        })
        .await
    }

    async fn set_available(&self, levels: &[(ProductId, u32)]) -> Result<Vec<StockLevel>, StoreError> {
        let (levels, told) = (levels.to_vec(), self.tells_of_stock());
        self.write(move |writing| {
            let set = |(product, available): &(ProductId, u32)| {
                let before = level(writing, *product)?.unwrap_or(StockLevel::empty(*product));
                let after = before.set_available(*available);
                put(writing, &after)?;
                Ok(after)
            };
            let changed: Vec<StockLevel> = levels.iter().map(set).collect::<Result<_, StoreError>>()?;
            publish(writing, &changed, told)?;
            Ok(changed)
        })
        .await
    }

    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, StockStoreError> {
        let told = self.tells_of_stock();
        self.write(move |writing| {
            let before = level(writing, product)?.unwrap_or(StockLevel::empty(product));
            let after = before.set_available_if(seen, available)?;
            put(writing, &after)?;
            publish(writing, &[after], told)?;
            Ok(after)
        })
        .await
    }

    async fn reserve(
        &self,
        order: OrderId,
        lines: &[StockLine],
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError> {
        let (lines, told) = (added_up(lines), self.tells_of_stock());
        let expires_at = codec::time(codec::micros_up(expires_at))?;
        self.write(move |writing| {
            if let Some(stored) = reservation(writing, order)? {
                return stored.unless_released();
            }
            let changed = take(writing, &lines, StockLevel::reserve)?;
            let made = Reservation { order, lines, state: ReservationState::Held, expires_at };
            Ok(moved(writing, made, changed, 0, told)?)
        })
        .await
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        let told = self.tells_of_stock();
        self.write(move |writing| {
            let stored = reservation(writing, order)?.ok_or(StockError::NoReservation)?;
            if stored.overrules(fence) || stored.reservation.state == ReservationState::Released {
                return stored.unless_released();
            }
            Ok(sell_held(writing, stored, fence, told)?)
        })
        .await
    }

    async fn retake(&self, order: OrderId, lines: &[StockLine], fence: Fence) -> Result<StockMove, StockStoreError> {
        let (lines, told) = (added_up(lines), self.tells_of_stock());
        let made_at = codec::time(codec::micros_up(Timestamp::now()))?;
        self.write(move |writing| {
            let (expires_at, fence) = match reservation(writing, order)? {
                None => (made_at, fence.unwrap_or(0)),
                Some(stored) if stored.overrules(fence) => return stored.unless_released(),
                Some(stored) if stored.reservation.state == ReservationState::Released => {
                    (stored.reservation.expires_at, stored.raised(fence))
                }
                Some(stored) => return Ok(sell_held(writing, stored, fence, told)?),
            };
            let sell = |level: &StockLevel, quantity| level.reserve(quantity).map(|held| held.commit(quantity));
            let changed = take(writing, &lines, sell)?;
            let made = Reservation { order, lines, state: ReservationState::Committed, expires_at };
            Ok(moved(writing, made, changed, fence, told)?)
        })
        .await
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        let told = self.tells_of_stock();
        let made_at = codec::time(codec::micros_up(Timestamp::now()))?;
        self.write(move |writing| {
            // Nothing is held for an unknown order, and it is never due: the code below writes it as released.
            let unknown = || StoredReservation {
                reservation: Reservation { order, lines: vec![], state: ReservationState::Held, expires_at: made_at },
                fence: 0,
            };
            let stored = reservation(writing, order)?.unwrap_or_else(unknown);
            if stored.overrules(fence) {
                return Ok(unmoved(stored.reservation));
            }
            give_back(writing, stored, fence, told)
        })
        .await
    }

    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        let (until, told) = (now.as_microsecond(), self.tells_of_stock());
        self.write(move |writing| {
            let expired = codec::all(
                writing,
                "SELECT order_id, state, expires_at, lines, fence FROM reservations
                 WHERE state = 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
                (until, limit),
                read_reservation,
            )?;
            expired.into_iter().map(|stored| give_back(writing, stored, None, told)).collect()
        })
        .await
    }
}

impl Engine {
    /// Whether `StockChanged` events are wanted.
    fn tells_of_stock(&self) -> bool {
        self.keeps(STOCK_CHANGED)
    }
}

/// Holds all lines or none.
fn take(
    writing: &WriteTx<'_>,
    lines: &[StockLine],
    take_line: impl Fn(&StockLevel, u32) -> Option<StockLevel>,
) -> Result<Vec<StockLevel>, StockStoreError> {
    let mut after = Vec::with_capacity(lines.len());
    let mut short = Vec::new();
    for &StockLine { product, quantity } in lines {
        let before = level(writing, product)?.ok_or(StockError::NoSuchProduct)?;
        match take_line(&before, quantity) {
            Some(level) => after.push(level),
            None => short.push(Shortage { product, requested: quantity, available: before.available() }),
        }
    }
    if !short.is_empty() {
        return Err(StockError::Short(short).into());
    }
    after.iter().try_for_each(|level| put(writing, level))?;
    Ok(after)
}

/// A reservation with the highest fence that it was called with.
struct StoredReservation {
    reservation: Reservation,
    fence: u64,
}

impl StoredReservation {
    /// Whether a call with this fence belongs to a decision that was overruled.
    fn overrules(&self, fence: Fence) -> bool {
        fence.is_some_and(|fence| fence < self.fence)
    }

    /// The fence after a call with this one.
    fn raised(&self, fence: Fence) -> u64 {
        self.fence.max(fence.unwrap_or(0))
    }

    /// The reservation without a change.
    fn unless_released(self) -> Result<StockMove, StockStoreError> {
        match self.reservation.state {
            ReservationState::Released => Err(StockError::Released.into()),
            ReservationState::Held | ReservationState::Committed => Ok(unmoved(self.reservation)),
        }
    }
}

/// Sells what is held; what is sold already stays so, with the fence of this call.
fn sell_held(
    writing: &WriteTx<'_>,
    stored: StoredReservation,
    fence: Fence,
    told: bool,
) -> Result<StockMove, StoreError> {
    let raised = stored.raised(fence);
    let held = stored.reservation;
    let changed = match held.state {
        ReservationState::Held => shift(writing, &held.lines, StockLevel::commit)?,
        _ if raised == stored.fence => return Ok(unmoved(held)),
        _ => vec![],
    };
    moved(writing, Reservation { state: ReservationState::Committed, ..held }, changed, raised, told)
}

fn give_back(
    writing: &WriteTx<'_>,
    stored: StoredReservation,
    fence: Fence,
    told: bool,
) -> Result<StockMove, StoreError> {
    let raised = stored.raised(fence);
    let had = stored.reservation;
    let changed = match had.state {
        ReservationState::Released if raised == stored.fence => return Ok(unmoved(had)),
        ReservationState::Released => vec![],
        ReservationState::Held => shift(writing, &had.lines, StockLevel::release)?,
        ReservationState::Committed => shift(writing, &had.lines, StockLevel::restock)?,
    };
    moved(writing, Reservation { state: ReservationState::Released, ..had }, changed, raised, told)
}

/// Changes the stock of units that a reservation has, which cannot fail for lack of stock.
fn shift(
    writing: &WriteTx<'_>,
    lines: &[StockLine],
    shift_line: impl Fn(&StockLevel, u32) -> StockLevel,
) -> Result<Vec<StockLevel>, StoreError> {
    let shifted = |line: &StockLine| {
        let before = level(writing, line.product)?
            .ok_or_else(|| StoreError::Corrupt(format!("a reservation of {} which has no stock", line.product)))?;
        let after = shift_line(&before, line.quantity);
        put(writing, &after)?;
        Ok(after)
    };
    lines.iter().map(shifted).collect()
}

fn moved(
    writing: &WriteTx<'_>,
    reservation: Reservation,
    changed: Vec<StockLevel>,
    fence: u64,
    told: bool,
) -> Result<StockMove, StoreError> {
    codec::execute(
        writing,
        "INSERT INTO reservations (order_id, state, expires_at, lines, fence) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (order_id) DO UPDATE SET
             state = excluded.state, lines = excluded.lines, fence = excluded.fence",
        (
            reservation.order.as_slice(),
            state_number(reservation.state),
            reservation.expires_at.as_microsecond(),
            codec::json(&reservation.lines)?,
            fence,
        ),
    )?;
    publish(writing, &changed, told)?;
    Ok(StockMove { reservation, changed })
}

const fn unmoved(reservation: Reservation) -> StockMove {
    StockMove { reservation, changed: vec![] }
}

fn publish(writing: &WriteTx<'_>, changed: &[StockLevel], told: bool) -> Result<(), StoreError> {
    if !told {
        return Ok(());
    }
    // Set here, where writes are sequential, so that the times of a product's events increase.
    let now = Timestamp::now();
    let event = |level: &StockLevel| codec::json(&Envelope::new(Event::StockChanged(*level), now));
    let events: Vec<_> = changed.iter().map(event).collect::<Result<_, _>>()?;
    writing.publish(&events)
}

fn level(connection: &Connection, product: ProductId) -> Result<Option<StockLevel>, StoreError> {
    let sql = "SELECT product, on_hand, reserved, sold, version FROM stock WHERE product = ?1";
    codec::first(connection, sql, [product.as_slice()], read_level)
}

pub(super) fn read_level(row: &Row<'_>) -> Result<StockLevel, StoreError> {
    Ok(StockLevel {
        product: codec::id(row, 0)?,
        on_hand: row.get(1)?,
        reserved: row.get(2)?,
        sold: row.get(3)?,
        version: row.get(4)?,
    })
}

/// Writes a level that was read in this transaction.
fn put(writing: &WriteTx<'_>, level: &StockLevel) -> Result<(), StoreError> {
    let written = codec::execute(
        writing,
        "INSERT INTO stock (product, on_hand, reserved, sold, version) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (product) DO UPDATE SET
             on_hand = excluded.on_hand, reserved = excluded.reserved, sold = excluded.sold, version = excluded.version
         WHERE version = excluded.version - 1 OR version = excluded.version - 2",
        (level.product.as_slice(), level.on_hand, level.reserved, level.sold, level.version),
    )?;
    if written == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

fn reservation(connection: &Connection, order: OrderId) -> Result<Option<StoredReservation>, StoreError> {
    let sql = "SELECT order_id, state, expires_at, lines, fence FROM reservations WHERE order_id = ?1";
    codec::first(connection, sql, [order.as_slice()], read_reservation)
}

/// A reservation, and the highest fence that it was called with.
pub(super) fn read_fenced(row: &Row<'_>) -> Result<(Reservation, u64), StoreError> {
    let StoredReservation { reservation, fence } = read_reservation(row)?;
    Ok((reservation, fence))
}

fn read_reservation(row: &Row<'_>) -> Result<StoredReservation, StoreError> {
    let state = match row.get(1)? {
        0_u8 => ReservationState::Held,
        1 => ReservationState::Committed,
        2 => ReservationState::Released,
        other => return Err(StoreError::Corrupt(format!("a reservation in state {other}"))),
    };
    let reservation = Reservation {
        order: codec::id(row, 0)?,
        state,
        expires_at: codec::time(row.get(2)?)?,
        lines: codec::document(row, 3)?,
    };
    Ok(StoredReservation { reservation, fence: row.get(4)? })
}

const fn state_number(state: ReservationState) -> u8 {
    match state {
        ReservationState::Held => 0,
        ReservationState::Committed => 1,
        ReservationState::Released => 2,
    }
}
