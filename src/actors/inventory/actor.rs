//! `InventoryActor`: carries out calls on stock and tells the listener.
//!
//! **Invariant:** the listener is told before the caller is answered.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use jiff::SignedDuration;

use super::StockListener;
use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{Reservation, StockLevel, StockLine},
    },
    store::{
        StockStore,
        inventory::{Fence, StockMove, StockStoreError},
    },
};

/// One of the actors that move stock. It keeps nothing: a fresh one goes on at once.
pub struct InventoryActor {
    store: Arc<dyn StockStore>,
    listener: Arc<dyn StockListener>,
}

impl InventoryActor {
    pub(super) const fn new(store: Arc<dyn StockStore>, listener: Arc<dyn StockListener>) -> Self {
        Self { store, listener }
    }
}

impl Actor for InventoryActor {
    type Context = Context<Self>;
}

/// A call on stock.
#[derive(Debug, Message)]
#[rtype(result = "Result<Moved, StockStoreError>")]
pub enum Call {
    /// Sets what is available.
    SetAvailable { levels: Vec<(ProductId, u32)> },
    /// Sets what is available of one product, if that is what was seen.
    SetAvailableIf { product: ProductId, seen: i64, available: u32 },
    /// Holds stock for an order.
    Reserve { order: OrderId, lines: Vec<StockLine>, lasts: SignedDuration },
    /// Sells what is held.
    Commit { order: OrderId, fence: Fence },
    /// Takes released stock again.
    Retake { order: OrderId, lines: Vec<StockLine>, fence: Fence },
    /// Gives stock back.
    Release { order: OrderId, fence: Fence },
}

/// What a call came to.
#[derive(Debug)]
pub struct Moved {
    /// The reservation, of calls on one.
    pub(super) reservation: Option<Reservation>,
    /// The stock that changed.
    pub(super) levels: Vec<StockLevel>,
}

impl From<StockMove> for Moved {
    fn from(moved: StockMove) -> Self {
        Self { reservation: Some(moved.reservation), levels: moved.changed }
    }
}

impl Handler<Call> for InventoryActor {
    type Result = ResponseFuture<Result<Moved, StockStoreError>>;

    fn handle(&mut self, call: Call, _: &mut Self::Context) -> Self::Result {
        let (store, listener) = (Arc::clone(&self.store), Arc::clone(&self.listener));
        Box::pin(async move {
            let moved = match call {
                Call::SetAvailable { levels } => {
                    Moved { reservation: None, levels: store.set_available(&levels).await? }
                }
                Call::SetAvailableIf { product, seen, available } => {
                    let level = store.set_available_if(product, seen, available).await?;
                    Moved { reservation: None, levels: vec![level] }
                }
                Call::Reserve { order, lines, lasts } => {
                    let expires_at = Timestamp::now().saturating_add(lasts).unwrap_or(Timestamp::MAX);
                    store.reserve(order, &lines, expires_at).await?.into()
                }
                Call::Commit { order, fence } => store.commit(order, fence).await?.into(),
                Call::Retake { order, lines, fence } => store.retake(order, &lines, fence).await?.into(),
                Call::Release { order, fence } => store.release(order, fence).await?.into(),
            };
            moved.levels.iter().for_each(|level| listener.stock_changed(level));
            Ok(moved)
        })
    }
}
