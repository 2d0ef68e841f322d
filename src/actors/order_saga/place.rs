//! From a cart to an order.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    OrderFailure, OrderSaga, OrderSettings,
    actor::{Place, Task},
    saga::SagaContext,
};
use crate::{
    actors::{
        blocked_users::BlockedUsers,
        runtime::{AskError, Keyed, StripedLocks, Traced},
    },
    domain::{
        Timestamp,
        ids::{AddressId, OrderId, ProductId, UserId},
        inventory::StockLine,
        money::Currency,
        order::{NewOrder, Order, OrderError, OrderItem, Pricing, SagaStep, Shipment, Totals},
        user::PostalAddress,
    },
    store::orders::{IdempotencyKey, NextOrder, OrderKey},
};

/// Where the goods of a new order go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To the user's default address, or to be said later.
    Default,
    /// To one of the user's addresses.
    Kept(AddressId),
    /// Here.
    Here(PostalAddress),
    /// To an address that the user cannot have.
    Unknown,
}

/// What the buyer was told before ordering. An order that would be another is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    /// The total in minor units, and its currency unless it goes without saying.
    pub total: Option<(i64, Option<Currency>)>,
    /// The version of the cart that was shown.
    pub cart_version: Option<u64>,
}

impl Expected {
    fn is(&self, totals: &Totals, cart_version: u64) -> bool {
        let total = totals.total;
        self.total.is_none_or(|(minor, currency)| {
            minor == total.minor() && currency.is_none_or(|currency| currency == total.currency())
        }) && self.cart_version.is_none_or(|version| version == cart_version)
    }
}

/// A wish to order what is in the cart.
#[derive(Debug, Clone)]
pub struct PlaceOrder {
    /// Who buys.
    pub user: UserId,
    /// Where to.
    pub destination: Destination,
    /// What the buyer agreed to.
    pub expected: Expected,
    /// The client's idempotency key and a hash of the request.
    pub key: Option<(String, String)>,
}

/// An order, and whether it was made before under the same idempotency key.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// Made before.
    pub replayed: bool,
}

/// An order whose stock is not held yet.
#[derive(Debug)]
pub struct Draft {
    pub(super) new: NewOrder,
    pub(super) pricing: Pricing,
    pub(super) bought: Vec<StockLine>,
    pub(super) max_unpaid: u32,
    pub(super) next: NextOrder,
    pub(super) key: Option<IdempotencyKey>,
}

/// How long an idempotency key is remembered.
const KEY_LASTS: SignedDuration = SignedDuration::from_hours(24);
/// How often an order is drafted anew when the cart changed in between.
const TRIES: u32 = 8;
/// Among how many of a user's newest orders the one of a cart is looked for.
const NEWEST: u32 = 10;

/// Turns carts into drafts. One user's orders wait for one another here, so that a
/// second post of one cart finds it empty and holds no stock in vain; the store's rule that
/// one cart version makes one order guards against other processes.
pub(super) struct Desk {
    context: SagaContext,
    settings: OrderSettings,
    users: StripedLocks,
}

impl Desk {
    pub(super) fn new(context: SagaContext, settings: OrderSettings) -> Self {
        Self { context, settings, users: StripedLocks::new(4_096) }
    }

    pub(super) fn heed(&self, blocked: &Arc<BlockedUsers>) {
        self.context.heed(blocked);
    }

    pub(super) const fn pricing(&self) -> Pricing {
        self.settings.pricing
    }

    pub(super) fn totals(&self, items: &[OrderItem]) -> Result<Totals, OrderError> {
        self.settings.pricing.totals(items)
    }

    pub(super) async fn place(
        &self,
        sagas: &Keyed<OrderId, OrderSaga>,
        request: PlaceOrder,
    ) -> Result<Placed, AskError<OrderFailure>> {
        let Some(_turn) = self.users.lock(&request.user).await else { return Err(AskError::Busy) };
        for _ in 0..TRIES {
            if let Some(mut order) = self.replay(&request).await.map_err(AskError::Refused)? {
                // Its maker may have died before the cart was emptied, and what was ordered has left
                // the cart when an order is answered.
                if order.saga.todo.contains(&SagaStep::EmptyCart) {
                    order = sagas.ask(&order.id, Task::Wake).await?;
                }
                return Ok(Placed { order, replayed: true });
            }
            let draft = self.draft(&request).await.map_err(AskError::Refused)?;
            let (id, cart_version) = (draft.new.id, draft.new.cart_version);
            match sagas.ask(&id, Traced::new(Place(Box::new(draft)))).await {
                Ok(order) => return Ok(Placed { order, replayed: false }),
                // Another process made an order of this cart or under this key first: look again.
                Err(AskError::Refused(OrderFailure::Taken(OrderKey::Cart))) => {
                    self.finish_check_out(sagas, request.user, cart_version).await?;
                }
                Err(AskError::Refused(OrderFailure::Taken(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AskError::Busy)
    }

    /// Takes the order that was made of this cart out of it, should its maker have died
    /// between the two.
    async fn finish_check_out(
        &self,
        sagas: &Keyed<OrderId, OrderSaga>,
        user: UserId,
        cart_version: u64,
    ) -> Result<(), AskError<OrderFailure>> {
        let newest = self.context.store.of_user(user, None, 0, NEWEST).await;
        let newest = newest.map_err(|error| AskError::Refused(error.into()))?;
        let unfinished =
            |order: &&Order| order.cart_version == cart_version && order.saga.todo.contains(&SagaStep::EmptyCart);
        if let Some(order) = newest.rows.iter().find(unfinished) {
            sagas.ask(&order.id, Task::Wake).await?;
        }
        Ok(())
    }

    async fn replay(&self, request: &PlaceOrder) -> Result<Option<Order>, OrderFailure> {
        let Some((key, hash)) = &request.key else { return Ok(None) };
        let store = &self.context.store;
        let Some(known) = store.by_key(request.user, key, Timestamp::now()).await? else { return Ok(None) };
        if known.request_hash != *hash {
            return Err(OrderFailure::KeyReused);
        }
        Ok(store.get(known.order).await?)
    }

    async fn draft(&self, request: &PlaceOrder) -> Result<Draft, OrderFailure> {
        let peers = &self.context.peers;
        let cart = peers.carts()?.cart(request.user).await?;
        if cart.lines.is_empty() {
            return Err(OrderError::EmptyCart.into());
        }
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let offers = peers.catalogue()?.offers(&products).await?;
        let item = |line: &StockLine| {
            let product = &offers.iter().find(|offer| offer.product.id == line.product)?.product;
            Some(OrderItem {
                product: product.id,
                title: product.title.clone(),
                seller: product.seller,
                quantity: line.quantity,
                price: product.price,
                shipment: Shipment::Waiting,
                tracking_number: None,
            })
        };
        // The seller may have set the bound after the line was put into the cart.
        for line in &cart.lines {
            let offer = offers.iter().find(|offer| offer.product.id == line.product);
            if let Some(max) = offer.and_then(|offer| offer.product.max_per_order).filter(|max| line.quantity > *max) {
                return Err(OrderFailure::MaxPerOrder { product: line.product, max });
            }
        }
        let items: Vec<OrderItem> = cart.lines.iter().filter_map(item).collect();
        let is_off = |item: &&OrderItem| {
            let offered = offers.iter().any(|offer| offer.product.id == item.product && offer.for_sale);
            !offered || self.context.knows_blocked(item.seller)
        };
        let off: Vec<OrderItem> = items.iter().filter(is_off).cloned().collect();
        if !off.is_empty() {
            return Err(OrderFailure::NotForSale(off));
        }
        // Empty and mixed carts are refused before any stock is held, and so is a total that the
        // buyer did not see. The order is made of these very items: a price that changes from here
        // on is not in it.
        let totals = self.settings.pricing.totals(&items)?;
        if !request.expected.is(&totals, cart.version) {
            return Err(OrderFailure::TotalChanged(totals));
        }
        // The store has the last word; this keeps stock from being held in vain.
        let max_unpaid = self.settings.max_unpaid;
        let next = self.context.store.next_of(request.user, Some(max_unpaid)).await?;
        if next.is_full {
            return Err(OrderFailure::TooManyUnpaid(max_unpaid));
        }
        let shipping_address = self.address(request).await?;
        let id = OrderId::generate();
        let key = request.key.clone().map(|(key, request_hash)| IdempotencyKey {
            key,
            request_hash,
            order: id,
            expires_at: Timestamp::now().saturating_add(KEY_LASTS).unwrap_or(Timestamp::MAX),
        });
        let new = NewOrder {
            id,
            user: request.user,
            items,
            shipping_address,
            cart_version: cart.version,
            window: self.settings.window,
        };
        Ok(Draft { new, pricing: self.settings.pricing, bought: cart.lines, max_unpaid, next, key })
    }

    async fn address(&self, request: &PlaceOrder) -> Result<Option<PostalAddress>, OrderFailure> {
        let id = match &request.destination {
            Destination::Here(address) => {
                return address.clone().settled().map(Some).map_err(OrderFailure::BadAddress);
            }
            Destination::Unknown => return Err(OrderFailure::NoSuchAddress),
            Destination::Kept(id) => Some(*id),
            Destination::Default => None,
        };
        let found = self.context.peers.accounts()?.address(request.user, id).await?;
        if found.is_none() && id.is_some() {
            return Err(OrderFailure::NoSuchAddress);
        }
        Ok(found)
    }
}
