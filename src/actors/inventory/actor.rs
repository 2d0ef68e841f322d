//! `InventoryActor`: carries out calls on stock and notifies the listener.
//!
//! **Invariant:** the listener is notified before the caller is answered.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    StockListener,
    calls::{CommitStock, GetStock, GetStockOfMany, ReleaseStock, ReserveStock, RetakeStock, SetStock, SetStockIfSeen},
};
use crate::{
    domain::{
        Timestamp,
        inventory::{Reservation, StockError, StockLevel},
    },
    runtime::calls::{CallError, Handles, Outcome, Worker},
    store::{
        StockStore,
        inventory::{StockMove, StockStoreError},
    },
};

/// One of the actors that change stock.
pub type InventoryActor = Worker<Stock>;

/// The state that the actors share.
pub struct Stock {
    pub(super) store: Arc<dyn StockStore>,
    pub(super) listener: Arc<dyn StockListener>,
    /// How long stock is held for an order.
    pub(super) held_for: SignedDuration,
}

impl Stock {
    pub(super) fn notify(&self, changed: &[StockLevel]) {
        changed.iter().for_each(|level| self.listener.stock_changed(level));
    }

    fn moved(&self, moved: Result<StockMove, StockStoreError>) -> Result<Reservation, CallError<StockError>> {
        let StockMove { reservation, changed } = moved?;
        self.notify(&changed);
        Ok(reservation)
    }
}

impl Handles<GetStock> for Stock {
    async fn handle(&self, call: GetStock) -> Outcome<GetStock> {
        Ok(self.store.get(call.product).await?)
    }
}

impl Handles<GetStockOfMany> for Stock {
    async fn handle(&self, call: GetStockOfMany) -> Outcome<GetStockOfMany> {
        Ok(self.store.many(&call.products).await?)
    }
}

impl Handles<SetStock> for Stock {
    async fn handle(&self, call: SetStock) -> Outcome<SetStock> {
        if call.levels.is_empty() {
            return Ok(vec![]);
        }
        let levels = self.store.set_available(&call.levels).await?;
        self.notify(&levels);
        Ok(levels)
    }
}

impl Handles<SetStockIfSeen> for Stock {
    async fn handle(&self, call: SetStockIfSeen) -> Outcome<SetStockIfSeen> {
        let level = self.store.set_available_if(call.product, call.seen, call.available).await?;
        self.notify(&[level]);
        Ok(level)
    }
}

impl Handles<ReserveStock> for Stock {
    async fn handle(&self, call: ReserveStock) -> Outcome<ReserveStock> {
        let expires_at = Timestamp::now().saturating_add(self.held_for).unwrap_or(Timestamp::MAX);
        self.moved(self.store.reserve(call.order, &call.lines, expires_at).await)
    }
}

impl Handles<CommitStock> for Stock {
    async fn handle(&self, call: CommitStock) -> Outcome<CommitStock> {
        self.moved(self.store.commit(call.order, call.fence).await)
    }
}

impl Handles<RetakeStock> for Stock {
    async fn handle(&self, call: RetakeStock) -> Outcome<RetakeStock> {
        self.moved(self.store.retake(call.order, &call.lines, call.fence).await)
    }
}

impl Handles<ReleaseStock> for Stock {
    async fn handle(&self, call: ReleaseStock) -> Outcome<ReleaseStock> {
        let StockMove { reservation, changed } = self.store.release(call.order, call.fence).await?;
        self.notify(&changed);
        Ok(reservation)
    }
}
