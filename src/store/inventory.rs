//! Stock and reservations.
//!
//! **Invariant:** over all reservations of a product, `reserved` is the sum of the held
//! ones and `sold` of the committed ones, after every call and after every crash.

use async_trait::async_trait;

use super::StoreError;
use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{Reservation, StockError, StockLevel, StockLine},
    },
    runtime::calls::CallError,
};

/// Why stock was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockStoreError {
    /// A domain rule refused.
    #[error(transparent)]
    Rule(#[from] StockError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StockStoreError> for CallError<StockError> {
    fn from(error: StockStoreError) -> Self {
        match error {
            StockStoreError::Rule(error) => Self::Refused(error),
            StockStoreError::Store(error) => error.into(),
        }
    }
}

/// The result of a call on a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockMove {
    /// The reservation after it.
    pub reservation: Reservation,
    /// The stock of the changed products; empty if nothing changed.
    pub changed: Vec<StockLevel>,
}

/// The decision about an order that a call carries out: the version of the order's document that contains it. A call
/// with a lower fence than an earlier one for the same order belongs to an overruled decision: it changes nothing and
/// returns the reservation as it is (`commit` and `retake` of a released one: `Released`). `None` always counts.
pub type Fence = Option<u64>;

/// Stores stock and reservations. Every change of stock writes a `StockChanged` event with it, if a consumer wants
/// such events.
#[async_trait]
pub trait StockStore: Send + Sync {
    /// A product's stock.
    async fn get(&self, product: ProductId) -> Result<Option<StockLevel>, StoreError>;

    /// The stock of those products that have any, in no order.
    async fn many(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, StoreError>;

    /// Sets the available units of each product ([`StockLevel::set_available`]), creating stock where there is none.
    async fn set_available(&self, levels: &[(ProductId, u32)]) -> Result<Vec<StockLevel>, StoreError>;

    /// Sets the available units of a product if they are `seen` now, in one atomic step; a product without stock has
    /// 0.
    ///
    /// # Errors
    /// `Moved` with the available units; nothing is changed then.
    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, StockStoreError>;

    /// Holds `lines` for `order` until `expires_at`, all or none. Repeating it returns the order's reservation as it
    /// is (held or committed) and changes nothing. Lines of one product are added up.
    ///
    /// # Errors
    /// `Short` with every line that has too few units, `NoSuchProduct`, or `Released` when this order's reservation
    /// was released.
    async fn reserve(
        &self,
        order: OrderId,
        lines: &[StockLine],
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError>;

    /// Sells what is held. Repeating changes nothing.
    ///
    /// # Errors
    /// `NoReservation`, or `Released`.
    async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError>;

    /// Sells `lines` to an order whose reservation was released (or never made), all or
    /// none; of one that is held or committed, as [`StockStore::commit`].
    ///
    /// # Errors
    /// `Short`, `NoSuchProduct`.
    async fn retake(&self, order: OrderId, lines: &[StockLine], fence: Fence) -> Result<StockMove, StockStoreError>;

    /// Releases what is held, or takes back what was sold. Repeating changes nothing; an order without a reservation
    /// gets a released one, so that a late `reserve` is refused.
    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError>;

    /// Releases up to `limit` held reservations that have expired at `now`.
    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError>;
}
