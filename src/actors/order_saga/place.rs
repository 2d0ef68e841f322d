//! Makes an order from a cart.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    Destination, OrderRefusal, OrderSettings, PlaceOrder, Placed, Sagas,
    saga::{Outcome, SagaContext},
};
use crate::{
    actors::{accounts::calls::GetAddress, cart::calls::GetCart, catalogue::calls::GetOffers},
    config::Service,
    domain::{
        Timestamp,
        ids::{OrderId, ProductId, UserId},
        inventory::StockLine,
        order::{NewOrder, Order, OrderError, OrderItem, Pricing, SagaStep, Shipment},
        user::PostalAddress,
    },
    runtime::{
        KeyLocks,
        calls::{CallError, Handles, Outcome as CallOutcome},
    },
    store::{
        StoreError,
        orders::{IdempotencyKey, NextOrder, OrderKey},
    },
};

/// An order whose stock is not reserved yet.
#[derive(Debug)]
pub struct Draft {
    pub(super) new: NewOrder,
    pub(super) pricing: Pricing,
    pub(super) bought: Vec<StockLine>,
    pub(super) max_unpaid: u32,
    pub(super) next: NextOrder,
    pub(super) key: Option<IdempotencyKey>,
}

/// How long an idempotency key is kept.
const KEY_TTL: SignedDuration = SignedDuration::from_hours(24);
/// How often an order is drafted again after a change of the cart.
const TRIES: u32 = 8;
/// How many of a user's newest orders are searched for the order of a cart.
const NEWEST: u32 = 10;

/// Makes orders from carts. Requests of one user run one at a time, so that a
/// second request for the same cart finds it empty and does not reserve stock in vain; between processes, the store
/// allows only one order per cart version.
pub(super) struct OrderPlacer {
    context: Arc<SagaContext>,
    sagas: Sagas,
    settings: OrderSettings,
    users: KeyLocks,
}

impl Handles<PlaceOrder> for OrderPlacer {
    async fn handle(&self, request: PlaceOrder) -> CallOutcome<PlaceOrder> {
        let Some(_lock) = self.users.lock(&request.user).await else { return Err(StoreError::Busy.into()) };
        for _ in 0..TRIES {
            if let Some(mut order) = self.replay(&request).await? {
                // The first request may have crashed before the cart was emptied, and an answered order
                // must not be in the cart any more.
                if order.saga.todo.contains(&SagaStep::EmptyCart) {
                    order = self.resume(order.id).await?;
                }
                return Ok(Placed { order, replayed: true });
            }
            let draft = self.draft(&request).await?;
            let (id, cart_version) = (draft.new.id, draft.new.cart_version);
            match self.sagas.run(&id, move |saga| async move { saga.place(draft).await }).await {
                Ok(order) => return Ok(Placed { order, replayed: false }),
                // Another process made an order from this cart or with this key: read again.
                Err(CallError::Refused(OrderRefusal::Taken(OrderKey::Cart))) => {
                    self.finish_check_out(request.user, cart_version).await?;
                }
                Err(CallError::Refused(OrderRefusal::Taken(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CallError::Busy(Service::Order.name().into()))
    }
}

impl OrderPlacer {
    pub(super) fn new(context: Arc<SagaContext>, sagas: Sagas, settings: OrderSettings) -> Self {
        Self { context, sagas, settings, users: KeyLocks::new(4_096) }
    }

    async fn resume(&self, order: OrderId) -> Outcome<Order> {
        self.sagas.run(&order, move |saga| async move { saga.resume(order).await }).await
    }

    /// Removes the items of an order from its cart, in case the process that made the order crashed before it did so.
    async fn finish_check_out(&self, user: UserId, cart_version: u64) -> Outcome<()> {
        let newest = self.context.store.of_user(user, None, 0, NEWEST).await?;
        let unfinished =
            |order: &&Order| order.cart_version == cart_version && order.saga.todo.contains(&SagaStep::EmptyCart);
        if let Some(order) = newest.rows.iter().find(unfinished) {
            self.resume(order.id).await?;
        }
        Ok(())
    }

    async fn replay(&self, request: &PlaceOrder) -> Outcome<Option<Order>> {
        let Some((key, hash)) = &request.key else { return Ok(None) };
        let store = &self.context.store;
        let Some(known) = store.by_key(request.user, key, Timestamp::now()).await? else { return Ok(None) };
        if known.request_hash != *hash {
            return Err(OrderRefusal::KeyReused.into());
        }
        Ok(store.get(known.order).await?)
    }

    async fn draft(&self, request: &PlaceOrder) -> Outcome<Draft> {
        let calls = &self.context.calls;
        let cart = calls.ask(GetCart { user: request.user }).await?;
        if cart.lines.is_empty() {
            return Err(OrderError::EmptyCart.into());
        }
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let offers = calls.ask(GetOffers { products }).await?;
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
        // The seller may have set the limit after the product was added to the cart.
        for line in &cart.lines {
            let offer = offers.iter().find(|offer| offer.product.id == line.product);
            if let Some(max) = offer.and_then(|offer| offer.product.max_per_order).filter(|max| line.quantity > *max) {
                return Err(OrderRefusal::MaxPerOrder { product: line.product, max }.into());
            }
        }
        let items: Vec<OrderItem> = cart.lines.iter().filter_map(item).collect();
        let is_off = |item: &&OrderItem| {
            let offered = offers.iter().any(|offer| offer.product.id == item.product && offer.for_sale);
            !offered || self.context.is_known_blocked(item.seller)
        };
        let off: Vec<OrderItem> = items.iter().filter(is_off).cloned().collect();
        if !off.is_empty() {
            return Err(OrderRefusal::NotForSale(off).into());
        }
        // Empty carts, mixed currencies and a total that the buyer did not see are refused before any stock is
        // reserved. The order is made from these items, so later price changes have no effect.
        let totals = self.settings.pricing.totals(&items)?;
        if !request.expected.is(&totals, cart.version) {
            return Err(OrderRefusal::TotalChanged(totals).into());
        }
        // The store enforces the limit; this check avoids a useless reservation.
        let max_unpaid = self.settings.max_unpaid;
        let next = self.context.store.next_of(request.user, Some(max_unpaid)).await?;
        if next.is_full {
            return Err(OrderRefusal::TooManyUnpaid(max_unpaid).into());
        }
        let shipping_address = self.address(request).await?;
        let id = OrderId::generate();
        let key = request.key.clone().map(|(key, request_hash)| IdempotencyKey {
            key,
            request_hash,
            order: id,
            expires_at: Timestamp::now().saturating_add(KEY_TTL).unwrap_or(Timestamp::MAX),
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

    async fn address(&self, request: &PlaceOrder) -> Outcome<Option<PostalAddress>> {
        let id = match &request.destination {
            Destination::Here(address) => {
                return address
                    .clone()
                    .settled()
                    .map(Some)
                    .map_err(|problems| OrderRefusal::BadAddress(problems).into());
            }
            Destination::Unknown => return Err(OrderRefusal::NoSuchAddress.into()),
            Destination::Kept(id) => Some(*id),
            Destination::Default => None,
        };
        let found = self.context.calls.ask(GetAddress { user: request.user, address: id }).await?;
        if found.is_none() && id.is_some() {
            return Err(OrderRefusal::NoSuchAddress.into());
        }
        Ok(found)
    }
}
