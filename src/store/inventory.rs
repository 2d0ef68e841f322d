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

/// Why stock did not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockStoreError {
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] StockError),
    /// The store did not do it.
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

/// What a call on a reservation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockMove {
    /// The reservation after it.
    pub reservation: Reservation,
    /// The stock of the products that it changed; empty when it was so before.
    pub changed: Vec<StockLevel>,
}

/// Which decision about an order a call carries out: the version that the order's
/// document has with it. A call with a lower fence than an earlier one for the same order
/// is a late echo of an overruled decision: it changes nothing and gets the reservation as
/// it is (`commit` and `retake` of a released one: `Released`). `None` always counts.
pub type Fence = Option<u64>;

/// Keeps stock and reservations. Every change to a stock writes a `StockChanged` event
/// with it, if events of that kind are wanted.
#[async_trait]
pub trait StockStore: Send + Sync {
    /// A product's stock.
    async fn get(&self, product: ProductId) -> Result<Option<StockLevel>, StoreError>;

    /// The stock of many products, in no order, those that exist.
    async fn many(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, StoreError>;

    /// Sets what is available of each product ([`StockLevel::set_available`]), making the
    /// stock where there is none.
    async fn set_available(&self, levels: &[(ProductId, u32)]) -> Result<Vec<StockLevel>, StoreError>;

    /// Sets what is available of a product if that is `seen` now, in one step; a product without
    /// stock has 0.
    ///
    /// # Errors
    /// `Moved` with what is available; nothing is changed then.
    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, StockStoreError>;

    /// Holds `lines` for `order` until `expires_at`, all or none. The same order again
    /// gives the same reservation as it then is (held or committed), changing nothing.
    /// Lines of one product are added up.
    ///
    /// # Errors
    /// `Short` with every line that fell short, `NoSuchProduct`, or `Released` when this
    /// order's reservation was released.
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

    /// Gives back what is held, or takes back what was sold. Repeating changes nothing; an
    /// order without a reservation gets a released one, so that a late `reserve` is refused.
    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError>;

    /// Releases up to `limit` held reservations whose time is over at `now`.
    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError>;
}
