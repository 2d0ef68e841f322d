//! Stock: reservations by order, with an expiry.
//!
//! The truth is the store's conditional update, so that it holds across processes
//! without locks; the actors bound how much is under way and isolate what goes wrong. A
//! call of several products goes to the actor of its first.
//!
//! **Invariant:** whoever shows stock ([`StockListener`]) knows of a change before its
//! caller has the answer.

mod actor;
mod expiry;
mod shared;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use self::{
    actor::{Call, InventoryActor},
    expiry::ExpiryActor,
    shared::{Follow, StockFollower},
};
use super::runtime::{AskError, Limits, Runtime, Sharded};
use crate::{
    domain::{
        ids::{OrderId, ProductId},
        inventory::{Reservation, StockLevel, StockLine},
    },
    integrations::redis::Wake,
    peers::{self, Fence, InventoryError, PeerError},
    store::{SharedStore, StockStore, StoreError, inventory::StockStoreError},
};
pub use shared::waking;

/// Is told of every change of stock.
pub trait StockListener: Send + Sync {
    /// The stock is now so.
    fn stock_changed(&self, level: &StockLevel);
}

/// How long a reservation outlives the payment window: its order's own expiry comes first.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// The inventory service.
#[derive(Clone)]
pub struct Inventory {
    shards: Sharded<InventoryActor>,
    store: Arc<dyn StockStore>,
    window: SignedDuration,
}

/// Starts what shows the changes that other nodes make to the stock.
pub fn follow(runtime: &Runtime, store: Arc<dyn SharedStore>, listener: Arc<dyn StockListener>, wake: &Wake) {
    let follow = Arc::new(Follow::new(store, listener, wake));
    runtime.supervise("stock_follower", Limits::default(), move || StockFollower::new(Arc::clone(&follow)));
}

impl Inventory {
    /// Starts the actors. `window` is the payment window.
    pub fn start(
        runtime: &Runtime,
        store: Arc<dyn StockStore>,
        listener: Arc<dyn StockListener>,
        window: SignedDuration,
    ) -> Self {
        let (of_shards, to_shards) = (Arc::clone(&store), Arc::clone(&listener));
        let shards = runtime.supervise_sharded("inventory", 4, Limits::default(), move || {
            InventoryActor::new(Arc::clone(&of_shards), Arc::clone(&to_shards))
        });
        let of_expiry = Arc::clone(&store);
        runtime.supervise("reservation_expiry", Limits::default(), move || {
            ExpiryActor::new(Arc::clone(&of_expiry), Arc::clone(&listener))
        });
        Self { shards, store, window }
    }

    async fn ask(&self, key: ProductId, call: Call) -> Result<actor::Moved, AskError<StockStoreError>> {
        self.shards.of(&key).ask(call).await
    }

    async fn reservation(&self, key: ProductId, call: Call) -> Result<Reservation, InventoryError> {
        match self.ask(key, call).await {
            Ok(moved) => moved.reservation.ok_or(InventoryError::Peer(PeerError::Unavailable("inventory"))),
            Err(AskError::Refused(StockStoreError::Rule(rule))) => Err(InventoryError::Rule(rule)),
            Err(error) => Err(InventoryError::Peer(peer_error(&error.map(store_error)))),
        }
    }
}

/// Calls about an order alone are spread by its id, since its products are not known.
const fn by_order(order: OrderId) -> ProductId {
    ProductId::from_bytes(order.bytes())
}

fn store_error(error: StockStoreError) -> StoreError {
    match error {
        StockStoreError::Store(error) => error,
        StockStoreError::Rule(rule) => StoreError::Unavailable(rule.to_string()),
    }
}

fn peer_error(error: &AskError<StoreError>) -> PeerError {
    PeerError::of("inventory", error)
}

#[async_trait]
impl peers::Inventory for Inventory {
    async fn level(&self, product: ProductId) -> Result<Option<StockLevel>, PeerError> {
        self.store.get(product).await.map_err(|error| peer_error(&AskError::Refused(error)))
    }

    async fn levels(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, PeerError> {
        self.store.many(products).await.map_err(|error| peer_error(&AskError::Refused(error)))
    }

    async fn set_available(&self, levels: Vec<(ProductId, u32)>) -> Result<Vec<StockLevel>, PeerError> {
        let Some((first, _)) = levels.first() else { return Ok(vec![]) };
        let moved = self.ask(*first, Call::SetAvailable { levels }).await;
        moved.map(|moved| moved.levels).map_err(|error| peer_error(&error.map(store_error)))
    }

    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, InventoryError> {
        match self.ask(product, Call::SetAvailableIf { product, seen, available }).await {
            Ok(moved) => moved.levels.first().copied().ok_or(InventoryError::Peer(PeerError::Unavailable("inventory"))),
            Err(AskError::Refused(StockStoreError::Rule(rule))) => Err(InventoryError::Rule(rule)),
            Err(error) => Err(InventoryError::Peer(peer_error(&error.map(store_error)))),
        }
    }

    async fn reserve(&self, order: OrderId, lines: Vec<StockLine>) -> Result<Reservation, InventoryError> {
        let key = lines.first().map_or_else(|| by_order(order), |line| line.product);
        let lasts = self.window.saturating_add(SLACK);
        self.reservation(key, Call::Reserve { order, lines, lasts }).await
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<Reservation, InventoryError> {
        self.reservation(by_order(order), Call::Commit { order, fence }).await
    }

    async fn retake(&self, order: OrderId, lines: Vec<StockLine>, fence: Fence) -> Result<Reservation, InventoryError> {
        self.reservation(by_order(order), Call::Retake { order, lines, fence }).await
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<Reservation, PeerError> {
        match self.reservation(by_order(order), Call::Release { order, fence }).await {
            Ok(reservation) => Ok(reservation),
            Err(InventoryError::Peer(error)) => Err(error),
            Err(InventoryError::Rule(_)) => Err(PeerError::Unavailable("inventory")),
        }
    }
}
