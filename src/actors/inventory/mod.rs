//! Stock: reservations by order, with an expiry.
//!
//! The store's conditional updates decide, so that the rules hold across processes without locks; the actors bound
//! the calls in progress and isolate failures.
//!
//! **Invariant:** every [`StockListener`] knows of a change before its caller has the answer.

mod actor;
pub mod calls;
mod expiry;
mod stock_follower;

use std::sync::Arc;

use jiff::SignedDuration;

pub use self::{actor::InventoryActor, stock_follower::notifying_listener};
use self::{
    actor::Stock,
    calls::{CommitStock, GetStock, GetStockOfMany, ReleaseStock, ReserveStock, RetakeStock, SetStock, SetStockIfSeen},
    stock_follower::StockFollower,
};
use crate::{
    domain::inventory::StockLevel,
    integrations::redis::ChangeNotifier,
    runtime::{
        Limits, Runtime,
        calls::{Registry, Workers},
    },
    store::{ClusterStore, StockStore},
};

/// Is notified of every change of stock.
pub trait StockListener: Send + Sync {
    /// The stock is now so.
    fn stock_changed(&self, level: &StockLevel);
}

/// How many actors change stock.
const WORKERS: usize = 4;
/// How long a reservation outlives the payment window: its order's own expiry comes first.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// Starts the follower, which shows the changes that other nodes make to the stock.
pub fn follow(
    runtime: &Runtime,
    store: Arc<dyn ClusterStore>,
    listener: Arc<dyn StockListener>,
    notifier: &ChangeNotifier,
) {
    let follower = Arc::new(StockFollower::new(store, listener));
    runtime.repeat("stock_follower", stock_follower::pace(notifier), follower, async |follower| follower.look().await);
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
