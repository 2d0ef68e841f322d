//! Stock and reservations.
//!
//! **Invariant:** `0 <= reserved <= on_hand`, and available + reserved + sold = received,
//! after every operation, allowed or refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{OrderId, ProductId},
    product::STOCK_MAX,
};

/// A product's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    pub product: ProductId,
    /// Units on hand, including reserved ones.
    pub on_hand: i64,
    /// Units held for orders that are not paid yet.
    pub reserved: i64,
    /// Units committed to paid orders and not returned.
    pub sold: i64,
    /// Counts changes; a snapshot with a lower one is older.
    pub version: u64,
}

impl StockLevel {
    /// A product without stock.
    #[must_use]
    pub const fn empty(product: ProductId) -> Self {
        Self { product, on_hand: 0, reserved: 0, sold: 0, version: 0 }
    }

    /// The units that can be bought now.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// Reserves `quantity` for an order, if that much is available.
    #[must_use]
    pub fn reserve(&self, quantity: u32) -> Option<Self> {
        let quantity = i64::from(quantity);
        (self.available() >= quantity).then(|| self.with(self.on_hand, self.reserved + quantity, self.sold))
    }

    /// Releases a reserved `quantity`.
    #[must_use]
    pub fn release(&self, quantity: u32) -> Self {
        self.with(self.on_hand, self.reserved - i64::from(quantity), self.sold)
    }

    /// Sells a reserved `quantity`.
    #[must_use]
    pub fn commit(&self, quantity: u32) -> Self {
        let quantity = i64::from(quantity);
        self.with(self.on_hand - quantity, self.reserved - quantity, self.sold + quantity)
    }

    /// Returns a sold `quantity`.
    #[must_use]
    pub fn restock(&self, quantity: u32) -> Self {
        let quantity = i64::from(quantity);
        self.with(self.on_hand + quantity, self.reserved, self.sold - quantity)
    }

    /// Sets the available units; on hand becomes that plus the reserved units. `available` is at most [`STOCK_MAX`].
    #[must_use]
    pub fn set_available(&self, available: u32) -> Self {
        let available = i64::from(available.min(STOCK_MAX));
        self.with(available + self.reserved, self.reserved, self.sold)
    }

    /// Sets the available units, if they are still what the caller has `seen`: units sold since must not come back.
    ///
    /// # Errors
    /// [`StockError::Moved`].
    pub fn set_available_if(&self, seen: i64, available: u32) -> Result<Self, StockError> {
        if self.available() == seen {
            Ok(self.set_available(available))
        } else {
            Err(StockError::Moved { available: self.available() })
        }
    }

    fn with(&self, on_hand: i64, reserved: i64, sold: i64) -> Self {
        Self { product: self.product, on_hand, reserved, sold, version: self.version + 1 }
    }
}

/// Some units of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLine {
    pub product: ProductId,
    /// How many, 1 or more.
    pub quantity: u32,
}

/// One line for each product, in the order of the ids.
#[must_use]
pub fn added_up(lines: &[StockLine]) -> Vec<StockLine> {
    let mut by_product: BTreeMap<ProductId, u32> = BTreeMap::new();
    for line in lines {
        let quantity = by_product.entry(line.product).or_default();
        *quantity = quantity.saturating_add(line.quantity);
    }
    by_product.into_iter().map(|(product, quantity)| StockLine { product, quantity }).collect()
}

/// The state of a reservation. It only advances, except that [`ReservationState::Released`] to `Committed`, when
/// money came late and the stock was may be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReservationState {
    /// Units are kept for the order.
    Held,
    /// Units are sold to the order.
    Committed,
    /// Units were released or returned.
    Released,
}

/// The units that one order holds, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The order, whose id is also the reservation's.
    pub order: OrderId,
    /// One line for each product.
    pub lines: Vec<StockLine>,
    /// Its status.
    pub state: ReservationState,
    /// When held units are released automatically.
    pub expires_at: Timestamp,
}

/// An item with too few units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    pub product: ProductId,
    /// The requested units.
    pub requested: u32,
    /// The available units.
    pub available: i64,
}

/// Why a stock operation was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum StockError {
    /// These items have too few units; nothing was reserved.
    #[error("not enough stock")]
    Short(Vec<Shortage>),
    /// This order's reservation was released before.
    #[error("this order's reservation was released")]
    Released,
    /// No reservation is known for this order.
    #[error("there is no reservation for this order")]
    NoReservation,
    /// There is no stock of this product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// The stock differs from what the caller had seen; nothing was set.
    #[error("the stock has changed meanwhile: {available} can be bought now")]
    Moved {
        /// The units that can be bought now.
        available: i64,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Set(u32),
        Reserve(u32),
        Release,
        Commit,
        Restock,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..50_u32).prop_map(Act::Set),
            (1..20_u32).prop_map(Act::Reserve),
            Just(Act::Release),
            Just(Act::Commit),
            Just(Act::Restock),
        ]
    }

    proptest! {
        #[test]
        fn stock_is_never_below_zero_and_always_adds_up(acts in proptest::collection::vec(act(), 1..200)) {
            let mut stock = StockLevel::empty(ProductId::generate());
            let (mut received, mut held, mut sold) = (0_i64, vec![], vec![]);
            for act in acts {
                stock = match act {
                    Act::Set(n) => {
                        received += i64::from(n) - stock.available();
                        stock.set_available(n)
                    }
                    Act::Reserve(n) => match stock.reserve(n) {
                        Some(next) => { held.push(n); next }
                        None => { prop_assert!(stock.available() < i64::from(n)); stock }
                    },
                    Act::Release => held.pop().map_or(stock, |n| stock.release(n)),
                    Act::Commit => held.pop().map_or(stock, |n| { sold.push(n); stock.commit(n) }),
                    Act::Restock => sold.pop().map_or(stock, |n| stock.restock(n)),
                };
                prop_assert!(0 <= stock.reserved && stock.reserved <= stock.on_hand);
                prop_assert_eq!(stock.available() + stock.reserved + stock.sold, received);
                prop_assert_eq!(stock.reserved, held.iter().map(|n| i64::from(*n)).sum::<i64>());
            }
        }
    }
}
