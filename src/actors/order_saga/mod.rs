//! Orders: one saga actor per order with work in progress.
//!
//! A saga's state is in the order's document. Every step reads the order, decides by the rules
//! in `domain::order`, does idempotent work, and writes with the version that it
//! read; after a version conflict it reads again. After a crash at any point, on this or another node,
//! the `sweeper` finds the order due and continues.
//!
//! **Invariant:** stock is reserved before an order exists, and committed before the order is confirmed.
//! Calls on a reservation carry the version of the order as their fence,
//! so that an overruled decision cannot undo a newer one.

pub mod calls;
mod co_purchases;
mod money;
mod place;
mod saga;
mod sweeper;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::SignedDuration;

pub use self::calls::{Destination, Expected, OrderRefusal, Party, PlaceOrder, Placed, Settlement};
use self::{
    calls::{
        CancelOrder, DeliverOrder, GetBoughtTogether, GetOrder, GetOrderByKey, GetOrderFor, GetOrderTotals,
        GetOrdersOfUser, NoteOrderRefund, RefuseOrderPayment, SetOrderAddress, SettleOrder, ShipOrder,
    },
    co_purchases::CoPurchases,
    place::OrderPlacer,
    saga::SagaContext,
    sweeper::Sweep,
};
use super::blocked_users::BlockedUsers;
use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::OrderId,
        order::{Order, Pricing},
    },
    runtime::{
        KeyedLimits, Runtime,
        calls::{CallError, Calls, Handles, KeyedWorkers, Outcome, Registry, Worker},
    },
    store::OrderStore,
};

/// The saga of one order. It has no state of its own: the order's document is the state, and its version detects
/// concurrent writers. Work on one order interleaves, because the saga must not block its mailbox while it waits for
/// another service.
pub type OrderSaga = Worker<SagaContext>;

/// The sagas, one per order with work in progress.
pub(super) type Sagas = KeyedWorkers<OrderId, SagaContext>;

/// Settings of the order service.
#[derive(Debug, Clone, Copy)]
pub struct OrderSettings {
    /// Tax and shipping.
    pub pricing: Pricing,
    /// How long a buyer has to pay.
    pub window: SignedDuration,
    /// How many orders of one user may wait for their payment at once.
    pub max_unpaid: u32,
}

/// Is notified of every order whose status has changed.
pub trait OrderListener: Send + Sync {
    /// Called with the changed order. Must not block.
    fn status_changed(&self, order: &Order);
}

/// The handle of the order service for what is not a call.
pub struct Orders {
    context: Arc<SagaContext>,
}

impl Orders {
    /// Starts the order service and registers its calls: the registry of sagas, and the sweeper that finds orders that
    /// are due.
    pub fn start(
        runtime: &Runtime,
        registry: &mut Registry,
        store: OrderStore,
        calls: Calls,
        settings: OrderSettings,
    ) -> Self {
        let context = Arc::new(SagaContext::new(store.clone(), calls));
        let limits = KeyedLimits::default();
        let sagas = Sagas::new(runtime, "order_saga", limits, Service::Order, Arc::clone(&context));
        sagas
            .on(registry, |call: &CancelOrder| call.order)
            .on(registry, |call: &SetOrderAddress| call.order)
            .on(registry, |call: &ShipOrder| call.order)
            .on(registry, |call: &DeliverOrder| call.order)
            .on(registry, |call: &SettleOrder| call.order)
            .on(registry, |call: &RefuseOrderPayment| call.order)
            .on(registry, |call: &NoteOrderRefund| call.order);
        let placer = Arc::new(OrderPlacer::new(Arc::clone(&context), sagas.clone(), settings));
        let reads = Arc::new(OrderReads { store, pricing: settings.pricing, co_purchases: CoPurchases::default() });
        registry
            .serve::<PlaceOrder>(&placer)
            .serve::<GetOrderTotals>(&reads)
            .serve::<GetOrder>(&reads)
            .serve::<GetOrderFor>(&reads)
            .serve::<GetOrderByKey>(&reads)
            .serve::<GetOrdersOfUser>(&reads)
            .serve::<GetBoughtTogether>(&reads);
        Sweep::new(Arc::clone(&context), sagas).start(runtime);
        Self { context }
    }

    /// Sets the list of blocked users: no orders are made for what they sell, their unpaid orders are cancelled, and
    /// later payments are refunded. Only the first call has an effect.
    pub fn set_blocked_users(&self, blocked: &Arc<BlockedUsers>) {
        self.context.set_blocked_users(blocked);
    }

    /// Notifies `listener` of status changes by this process. Only the first call has an effect.
    pub fn notify(&self, listener: Arc<dyn OrderListener>) {
        self.context.set_listener(listener);
    }
}

/// Handles the calls that only read.
struct OrderReads {
    store: OrderStore,
    pricing: Pricing,
    co_purchases: CoPurchases,
}

impl Handles<GetOrderTotals> for OrderReads {
    async fn handle(&self, call: GetOrderTotals) -> Outcome<GetOrderTotals> {
        Ok(self.pricing.totals(&call.items)?)
    }
}

impl Handles<GetOrder> for OrderReads {
    async fn handle(&self, call: GetOrder) -> Outcome<GetOrder> {
        Ok(self.store.get(call.order).await?)
    }
}

impl Handles<GetOrderFor> for OrderReads {
    async fn handle(&self, GetOrderFor { order, who }: GetOrderFor) -> Outcome<GetOrderFor> {
        let order = self.store.get(order).await?.ok_or(OrderRefusal::NotFound)?;
        allow(&order, who)?;
        Ok(seen_by(order, who))
    }
}

impl Handles<GetOrderByKey> for OrderReads {
    async fn handle(&self, call: GetOrderByKey) -> Outcome<GetOrderByKey> {
        match self.store.by_key(call.user, &call.key, Timestamp::now()).await? {
            Some(known) => Ok(self.store.get(known.order).await?),
            None => Ok(None),
        }
    }
}

impl Handles<GetOrdersOfUser> for OrderReads {
    async fn handle(&self, call: GetOrdersOfUser) -> Outcome<GetOrdersOfUser> {
        Ok(self.store.of_user(call.user, call.status, call.skip, call.limit).await?)
    }
}

impl Handles<GetBoughtTogether> for OrderReads {
    async fn handle(&self, call: GetBoughtTogether) -> Outcome<GetBoughtTogether> {
        let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
        Ok(self.co_purchases.with(&self.store, call.product, limit).await?)
    }
}

/// The part of the order that the party may see.
fn seen_by(order: Order, who: Party) -> Order {
    match who {
        Party::Seller(seller) => order.seen_by_seller(seller),
        Party::Buyer(_) | Party::Admin => order,
    }
}

/// # Errors
/// [`OrderRefusal::NotYours`].
fn allow(order: &Order, who: Party) -> Result<(), CallError<OrderRefusal>> {
    let allowed = match who {
        Party::Buyer(user) => order.user == user,
        Party::Seller(seller) => order.has_seller(seller),
        Party::Admin => true,
    };
    if allowed { Ok(()) } else { Err(OrderRefusal::NotYours.into()) }
}
