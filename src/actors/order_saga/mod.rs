//! Orders: one saga actor for each order that something is being done for.
//!
//! A saga's state is in the order itself. Every step reads the order, decides by the rules
//! in `domain::order`, does what may be repeated, and writes with the version it
//! read; whoever lost a race reads again. So a crash at any point, here or on another node, is
//! followed by somebody finding the order due and going on (`sweeper`).
//!
//! **Invariant:** stock is held before an order exists, and sold before it is confirmed.
//! Calls on a reservation carry the version of the order that decided them as their fence,
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

/// One order's saga. It keeps nothing: the order's document is the state, and its version is what keeps two writers
/// apart. It waits for other services, so what is done to one order interleaves: nothing may hold the mailbox while
/// another service is asked.
pub type OrderSaga = Worker<SagaContext>;

/// The sagas, one for each order that something is being done for.
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

/// Is told of every order whose status has changed.
pub trait OrderListener: Send + Sync {
    /// The order is now so. Must not wait.
    fn status_changed(&self, order: &Order);
}

/// What of the order service is reached by no call.
pub struct Orders {
    context: Arc<SagaContext>,
}

impl Orders {
    /// Starts the order service, which registers its calls: the registry of sagas, and the sweeper that finds orders
    /// with something to do.
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

    /// Makes no order of what `blocked` users sell, ends those that nobody has paid, and keeps no money
    /// that comes for one; the first ones stay.
    pub fn heed(&self, blocked: &Arc<BlockedUsers>) {
        self.context.heed(blocked);
    }

    /// Notifies `listener` of orders whose status changes by this process; the first one stays.
    pub fn notify(&self, listener: Arc<dyn OrderListener>) {
        self.context.set_listener(listener);
    }
}

/// Reads past the sagas.
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

/// What of the order somebody may see.
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
