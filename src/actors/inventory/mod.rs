//! Stock: reservations by order, with an expiry.
//!
//! The truth is the store's conditional update, so that it holds across processes
//! without locks; the actors bound how much is under way and isolate what goes wrong.
//!
//! **Invariant:** whoever shows stock ([`StockListener`]) knows of a change before its
//! caller has the answer.

mod actor;
pub mod calls;
mod expiry;
mod shared;

use std::sync::Arc;

use jiff::SignedDuration;

pub use self::{actor::InventoryActor, shared::waking};
use self::{
    actor::Stock,
    calls::{CommitStock, GetStock, GetStockOfMany, ReleaseStock, ReserveStock, RetakeStock, SetStock, SetStockIfSeen},
    shared::Follow,
};
use crate::{
    domain::inventory::StockLevel,
    integrations::redis::Wake,
    runtime::{
        Limits, Runtime,
        calls::{Registry, Workers},
    },
    store::{SharedStore, StockStore},
};

/// Is told of every change of stock.
pub trait StockListener: Send + Sync {
    /// The stock is now so.
    fn stock_changed(&self, level: &StockLevel);
}

/// How many actors move stock.
const WORKERS: usize = 4;
/// How long a reservation outlives the payment window: its order's own expiry comes first.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// Starts what shows the changes that other nodes make to the stock.
pub fn follow(runtime: &Runtime, store: Arc<dyn SharedStore>, listener: Arc<dyn StockListener>, wake: &Wake) {
    let follow = Arc::new(Follow::new(store, listener));
    runtime.repeat("stock_follower", shared::pace(wake), follow, async |follow| follow.look().await);
}

/// Starts the inventory service and registers its calls. `window` is the payment window.
pub fn start(
    runtime: &Runtime,
    registry: &mut Registry,
    store: Arc<dyn StockStore>,
    listener: Arc<dyn StockListener>,
    window: SignedDuration,
) {
    let stock = Arc::new(Stock { store, listener, held_for: window.saturating_add(SLACK) });
    expiry::start(runtime, Arc::clone(&stock));
    Workers::start(runtime, "inventory", WORKERS, Limits::default(), stock)
        .on::<GetStock>(registry)
        .on::<GetStockOfMany>(registry)
        .on::<SetStock>(registry)
        .on::<SetStockIfSeen>(registry)
        .on::<ReserveStock>(registry)
        .on::<CommitStock>(registry)
        .on::<RetakeStock>(registry)
        .on::<ReleaseStock>(registry);
}
