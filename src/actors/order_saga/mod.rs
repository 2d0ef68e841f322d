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

mod actor;
mod money;
mod place;
mod saga;
mod sweeper;
#[cfg(test)]
mod tests;
mod together;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

pub use place::{Destination, Expected, PlaceOrder, Placed};

use self::{
    actor::{OrderSaga, Task},
    place::Desk,
    saga::{Listener, SagaContext},
    sweeper::{OrderSweeper, Sweeping},
    together::Together,
};
use super::{
    blocked_users::BlockedUsers,
    runtime::{AskError, Keyed, KeyedLimits, Limits, Runtime, Traced},
};
use crate::{
    domain::{
        Timestamp,
        address::AddressProblem,
        ids::{OrderId, ProductId, UserId},
        inventory::Shortage,
        order::{Order, OrderError, OrderItem, OrderPayment, OrderStatus, Pricing, RefundNote, Totals},
        user::PostalAddress,
    },
    peers::{self, PeerError, Peers, Settlement},
    store::{OrderStore, Page, StoreError, orders::OrderKey},
};

/// Why an order was not made or did not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderFailure {
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// It is somebody else's.
    #[error("this order is not yours")]
    NotYours,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] OrderError),
    /// The cart has more of a product than its seller lets one order have.
    #[error("at most {max} of a product in the cart can be in one order")]
    MaxPerOrder {
        /// Which product.
        product: ProductId,
        /// That many.
        max: u32,
    },
    /// These items are not for sale: taken down, or of a blocked seller.
    #[error("some items are not for sale any more")]
    NotForSale(Vec<OrderItem>),
    /// These items fell short.
    #[error("some items are short of stock")]
    Short(Vec<Shortage>),
    /// What the order would cost is not what the buyer was told; this is its total now.
    #[error("the total is now {}", .0.total)]
    TotalChanged(Totals),
    /// The user has as many unpaid orders as are allowed.
    #[error("{0} of your orders wait for their payment: pay or cancel one of them first")]
    TooManyUnpaid(u32),
    /// There is no such address among the user's.
    #[error("there is no such address")]
    NoSuchAddress,
    /// Nothing can be sent to the address given: (field, what is wrong).
    #[error("nothing can be sent to this address")]
    BadAddress(Vec<AddressProblem>),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Another order was made of this cart or under this idempotency key.
    #[error("another order was made at the same moment")]
    Taken(OrderKey),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service did not answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// Who does something to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Who bought it.
    Buyer(UserId),
    /// Who sells something in it.
    Seller(UserId),
    /// An admin.
    Admin,
}

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

/// The order service.
#[derive(Clone)]
pub struct Orders {
    sagas: Keyed<OrderId, OrderSaga>,
    store: OrderStore,
    desk: Arc<Desk>,
    listener: Listener,
    together: Arc<Together>,
}

type Answer = Result<Order, AskError<OrderFailure>>;

impl Orders {
    /// Makes the registry of sagas, and the sweeper that finds orders with something to do.
    pub fn start(runtime: &Runtime, store: OrderStore, peers: Peers, settings: OrderSettings) -> Self {
        let context = SagaContext::new(store.clone(), peers.clone());
        let of_sagas = context.clone();
        let sagas =
            runtime.keyed("order_saga", KeyedLimits::default(), move |order| OrderSaga::new(*order, of_sagas.clone()));
        let listener = context.listener();
        let swept = Sweeping::new(context.clone(), sagas.clone());
        let desk = Arc::new(Desk::new(context, settings));
        let together = Arc::default();
        let orders = Self { sagas, store, desk, listener, together };
        runtime.supervise("order_sweeper", Limits::default(), move || OrderSweeper::new(swept.clone()));
        orders
    }

    /// Tax and shipping.
    #[must_use]
    pub fn pricing(&self) -> Pricing {
        self.desk.pricing()
    }

    /// Makes no order of what `blocked` users sell, ends those that nobody has paid, and keeps no money
    /// that comes for one; the first ones stay.
    pub fn heed(&self, blocked: &Arc<BlockedUsers>) {
        self.desk.heed(blocked);
    }

    /// Tells `listener` of orders whose status changes by this process; the first one stays.
    pub fn tell(&self, listener: Arc<dyn OrderListener>) {
        let _first_stays = self.listener.set(listener);
    }

    /// Makes an order of the user's cart.
    ///
    /// # Errors
    /// [`OrderFailure`], as for every call here.
    pub async fn place(&self, request: PlaceOrder) -> Result<Placed, AskError<OrderFailure>> {
        self.desk.place(&self.sagas, request).await
    }

    /// The order that a user made under an idempotency key, if there is one.
    ///
    /// # Errors
    /// [`OrderFailure::Store`].
    pub async fn made_with(&self, user: UserId, key: &str) -> Result<Option<Order>, OrderFailure> {
        let known = self.store.by_key(user, key, Timestamp::now()).await?;
        match known {
            Some(known) => Ok(self.store.get(known.order).await?),
            None => Ok(None),
        }
    }

    /// What an order of these lines would cost.
    ///
    /// # Errors
    /// A rule: no lines, two currencies, too much.
    pub fn totals(&self, items: &[OrderItem]) -> Result<Totals, OrderError> {
        self.desk.totals(items)
    }

    /// An order, for someone who may see it, as they may see it.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`.
    pub async fn get(&self, id: OrderId, who: Party) -> Result<Order, OrderFailure> {
        let order = self.store.get(id).await?.ok_or(OrderFailure::NotFound)?;
        allow(&order, who)?;
        Ok(seen_by(order, who))
    }

    /// A user's orders, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, StoreError> {
        self.store.of_user(user, status, skip, limit).await
    }

    /// Ends an order at the wish of its buyer or an admin; stock and money go back.
    ///
    /// # Errors
    /// A rule once a line is shipped.
    pub async fn cancel(&self, id: OrderId, who: Party, reason: Option<String>) -> Answer {
        self.sagas.ask(&id, Traced::new(Task::Cancel { who, reason })).await
    }

    /// Sets where the goods go.
    ///
    /// # Errors
    /// A rule once a line is shipped.
    pub async fn set_address(&self, id: OrderId, who: Party, address: PostalAddress) -> Answer {
        self.sagas.ask(&id, Traced::new(Task::SetAddress { who, address })).await
    }

    /// Marks lines as shipped: a seller's own, an admin's all.
    ///
    /// # Errors
    /// A rule when out of order.
    pub async fn ship(&self, id: OrderId, who: Party, tracking: Option<String>) -> Answer {
        Ok(seen_by(self.sagas.ask(&id, Traced::new(Task::Ship { who, tracking })).await?, who))
    }

    /// Marks lines as delivered: a seller's own, an admin's all.
    ///
    /// # Errors
    /// A rule when out of order.
    pub async fn deliver(&self, id: OrderId, who: Party, tracking: Option<String>) -> Answer {
        Ok(seen_by(self.sagas.ask(&id, Traced::new(Task::Deliver { who, tracking })).await?, who))
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
/// [`OrderFailure::NotYours`].
fn allow(order: &Order, who: Party) -> Result<(), OrderFailure> {
    let allowed = match who {
        Party::Buyer(user) => order.user == user,
        Party::Seller(seller) => order.has_seller(seller),
        Party::Admin => true,
    };
    if allowed { Ok(()) } else { Err(OrderFailure::NotYours) }
}

fn peer_error(error: AskError<OrderFailure>) -> PeerError {
    match error {
        AskError::Refused(OrderFailure::Peer(error)) => error,
        AskError::Refused(OrderFailure::Store(error)) => PeerError::of("order", &AskError::Refused(error)),
        AskError::Refused(_) | AskError::Restarting => PeerError::Unavailable("order"),
        AskError::Busy => PeerError::Busy("order"),
        AskError::Died | AskError::Deadline => PeerError::Deadline("order"),
    }
}

#[async_trait]
impl peers::Orders for Orders {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, PeerError> {
        self.store.get(id).await.map_err(|error| PeerError::of("order", &AskError::Refused(error)))
    }

    async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, PeerError> {
        let found = self.store.of_user(user, status, skip, limit).await;
        found.map_err(|error| PeerError::of("order", &AskError::Refused(error)))
    }

    async fn bought_with(&self, product: ProductId, limit: u32) -> Result<Vec<ProductId>, PeerError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = self.together.with(&self.store, product, limit).await;
        found.map_err(|error| PeerError::of("order", &AskError::Refused(error)))
    }

    async fn settle(&self, id: OrderId, payment: OrderPayment) -> Result<Settlement, PeerError> {
        self.sagas.ask(&id, Traced::new(actor::Settle { payment })).await.map_err(peer_error)
    }

    async fn refuse_payment(&self, id: OrderId) -> Result<(), PeerError> {
        self.sagas.ask(&id, Traced::new(Task::RefusePayment)).await.map(|_| ()).map_err(peer_error)
    }

    async fn note_refund(&self, id: OrderId, note: RefundNote) -> Result<(), PeerError> {
        self.sagas.ask(&id, Traced::new(actor::NoteRefund(note))).await.map_err(peer_error)
    }
}
