//! The steps of the saga. Each reads the order, does idempotent work, and writes with the
//! version that it read.
//!
//! **Invariant:** no step relies on an earlier step having run in this process; each is
//! idempotent.

use std::sync::{Arc, OnceLock};

use super::{
    OrderListener, OrderRefusal, Party, allow,
    calls::{CancelOrder, DeliverOrder, NoteOrderRefund, RefuseOrderPayment, SetOrderAddress, SettleOrder, ShipOrder},
    place::Draft,
    seen_by,
};
use crate::{
    actors::{
        blocked_users::BlockedUsers,
        cart::calls::{CheckOutCart, RestoreCart},
        inventory::calls::{ReleaseStock, ReserveStock},
        payment::calls::RefundAllOfPayment,
    },
    config::Service,
    crash,
    domain::{
        Timestamp,
        event::Event,
        ids::{OrderId, UserId},
        inventory::StockError,
        order::{CancelCause, Expiry, Order, OrderError, OrderItem, OrderStatus, SagaStep},
    },
    runtime::{
        KeyLocks,
        calls::{CallError, Calls, Handles, Outcome as CallOutcome},
        envelope,
    },
    store::{OrderStore, StoreError, orders::InsertError},
};

/// How often a decision is repeated after a version conflict.
pub(super) const TRIES: u32 = 16;

/// The number of locks for orders.
const LOCKS: usize = 1_024;

/// The dependencies of the steps.
pub struct SagaContext {
    pub(super) store: OrderStore,
    pub(super) calls: Calls,
    /// Serialize changes of one order, so that none keeps losing to others.
    /// The saga's mailbox cannot do this, because its other handlers wait for other services.
    pub(super) locks: KeyLocks,
    listener: OnceLock<Arc<dyn OrderListener>>,
    blocked: OnceLock<Arc<BlockedUsers>>,
}

pub(super) type Outcome<T> = Result<T, CallError<OrderRefusal>>;

impl SagaContext {
    pub(super) fn new(store: OrderStore, calls: Calls) -> Self {
        Self { store, calls, locks: KeyLocks::new(LOCKS), listener: OnceLock::new(), blocked: OnceLock::new() }
    }

    /// Sets the list of blocked users. Only the first call has an effect.
    pub(super) fn set_blocked_users(&self, blocked: &Arc<BlockedUsers>) {
        let _first_stays = self.blocked.set(Arc::clone(blocked));
    }

    pub(super) fn blocked(&self) -> Option<&Arc<BlockedUsers>> {
        self.blocked.get()
    }

    /// Whether this process knows that a seller is blocked.
    pub(super) fn is_known_blocked(&self, seller: UserId) -> bool {
        self.blocked.get().is_some_and(|blocked| blocked.knows(seller))
    }

    /// The blocked sellers in the order, including those that another node has blocked.
    pub(super) async fn blocked_sellers(&self, order: &Order) -> Outcome<Vec<UserId>> {
        match self.blocked.get() {
            Some(blocked) => Ok(blocked.among(&order.sellers()).await?),
            None => Ok(vec![]),
        }
    }

    pub(super) fn set_listener(&self, listener: Arc<dyn OrderListener>) {
        let _first_stays = self.listener.set(listener);
    }

    /// Notifies the listener of an order that was just written, if its status changed.
    fn notify(&self, order: &Order) {
        let is_new = order.timeline.last().is_some_and(|entry| entry.at == order.updated_at);
        if let Some(listener) = self.listener.get().filter(|_| is_new) {
            listener.status_changed(order);
        }
    }

    /// Reserves the stock, writes the order and empties the cart.
    pub(super) async fn place(&self, draft: Draft) -> Outcome<Order> {
        let Draft { new, pricing, bought, max_unpaid, next, key } = draft;
        let (id, calls) = (new.id, &self.calls);
        let now = Timestamp::now();
        let mut order = Order::place(new, &pricing, now)?;
        match crash::around("order.hold", calls.ask(ReserveStock { order: id, lines: order.stock_lines() })).await {
            Ok(_) => {}
            Err(CallError::Refused(StockError::Short(short))) => return Err(OrderRefusal::Short(short).into()),
            // A product without a stock record is sold out.
            Err(CallError::Refused(_)) => return Err(OrderRefusal::Short(vec![]).into()),
            Err(error) => {
                // The stock may be reserved nevertheless. It would be released when the reservation expires, but late.
                self.give_back(id).await;
                return Err(error.and_then(|_| CallError::unavailable(Service::Inventory)));
            }
        }
        let written = Order { version: order.version + 1, ..order.clone() };
        let created = envelope(Event::OrderCreated(written), now);
        match crash::around("order.write", self.store.insert_next(&order, key.as_ref(), next, &[created])).await {
            Ok(version) => {
                order.version = version;
                self.notify(&order);
            }
            // Whether the order was written is unknown: the reservation stays, and ends with the order
            // or when it expires.
            Err(InsertError::Store(error @ StoreError::Deadline)) => return Err(error.into()),
            Err(error) => {
                self.give_back(id).await;
                return Err(match error {
                    InsertError::Full => OrderRefusal::TooManyUnpaid(max_unpaid).into(),
                    InsertError::Duplicate(taken) => OrderRefusal::Taken(taken).into(),
                    InsertError::Store(error) => error.into(),
                });
            }
        }
        let emptied = self.calls.ask(CheckOutCart { user: order.user, order: id, bought });
        if let Err(error) = crash::around("order.empty_cart", emptied).await {
            tracing::warn!(order.id = %id, %error, "the cart will be emptied later");
        }
        self.end_if_blocked(order).await
    }

    /// Checks again after the order was written: blocking a seller cancels the unpaid orders that exist at
    /// that time, and this order may have been written after that.
    async fn end_if_blocked(&self, order: Order) -> Outcome<Order> {
        match self.blocked_sellers(&order).await {
            Ok(blocked) if blocked.is_empty() => Ok(order),
            Ok(blocked) => {
                let items = match self.suspend(order.id).await {
                    Ok(ended) => ended.items,
                    // The block itself was quicker.
                    Err(CallError::Refused(OrderRefusal::Rule(_))) => order.items,
                    Err(error) => return Err(error),
                };
                let gone = items.into_iter().filter(|item| blocked.contains(&item.seller));
                Err(OrderRefusal::NotForSale(gone.collect()).into())
            }
            Err(error) => {
                // If so, a payment for the order is refused.
                tracing::warn!(order.id = %order.id, %error, "the blocked sellers could not be read");
                Ok(order)
            }
        }
    }

    /// Cancels an unpaid order that contains items of a blocked seller.
    pub(super) async fn suspend(&self, id: OrderId) -> Outcome<Order> {
        let order = self
            .change(id, Party::Admin, Event::OrderCancelled, |order, now| {
                order.suspend(now)?;
                crash::point("order.suspend.before");
                Ok(())
            })
            .await?;
        crash::point("order.suspend.after");
        self.finish_ended(order).await
    }

    /// Releases the stock of an order that was not made. It may fail, because the reservation expires.
    async fn give_back(&self, id: OrderId) {
        if let Err(error) = self.calls.ask(ReleaseStock { order: id, fence: None }).await {
            tracing::warn!(order.id = %id, %error, "reserved stock could not be released and will expire");
        }
    }

    /// Cancels the order at the request of its buyer or an admin.
    async fn cancel(&self, CancelOrder { order: id, who, reason }: CancelOrder) -> Outcome<Order> {
        let cause = if who == Party::Admin { CancelCause::Staff } else { CancelCause::Buyer };
        let order = self
            .change(id, who, Event::OrderCancelled, |order, now| {
                order.cancel(cause, reason.clone(), now)?;
                crash::point("order.cancel.before");
                Ok(())
            })
            .await?;
        crash::point("order.cancel.after");
        self.finish_ended(order).await
    }

    /// Runs the steps of an order that was just cancelled.
    pub(super) async fn finish_ended(&self, order: Order) -> Outcome<Order> {
        let id = order.id;
        // The order is cancelled even if a step fails now: the sweeper runs it again.
        match self.run_steps(order.clone()).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => self.read(id).await,
            Err(error) => {
                tracing::warn!(order.id = %id, %error, "the steps of a cancelled order will be done later");
                Ok(order)
            }
        }
    }

    /// Cancels an order that the payment gateway will never accept. An order that no longer awaits
    /// payment stays as it is.
    async fn refuse_payment(&self, id: OrderId) -> Outcome<Order> {
        let refused = self.change(id, Party::Admin, Event::OrderCancelled, |order, now| {
            order.refuse_payment(now)?;
            crash::point("order.refuse_payment.before");
            Ok(())
        });
        let order = match refused.await {
            Err(CallError::Refused(OrderRefusal::Rule(OrderError::WrongState { .. }))) => return self.read(id).await,
            refused => refused?,
        };
        crash::point("order.refuse_payment.after");
        self.finish_ended(order).await
    }

    /// Runs the steps that are due.
    pub(super) async fn resume(&self, id: OrderId) -> Outcome<Order> {
        let order = self.read(id).await?;
        match self.run_steps(order).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => self.read(id).await,
            Err(error) => {
                // Postponed, so that an order that keeps failing does not delay others.
                let mut order = self.read(id).await?;
                order.step_failed(Timestamp::now());
                match self.store.save(&order, &[]).await {
                    Ok(_) | Err(StoreError::Conflict) => Err(error),
                    Err(worse) => Err(worse.into()),
                }
            }
        }
    }

    /// Runs the steps that are due, in their order; `None` after a version conflict.
    async fn run_steps(&self, mut order: Order) -> Outcome<Option<Order>> {
        let (mut now, mut changed) = (Timestamp::now(), false);
        while let Some(step) = order.saga.todo.first().copied() {
            if step == SagaStep::AwaitPayment {
                if order.expiry(now) == Expiry::NotDue || self.paid_in_time(&order).await? {
                    break;
                }
                order.cancel(CancelCause::Expired, Some("expired".to_owned()), now)?;
                if !crash::around("order.expire", self.save(&mut order, Event::OrderCancelled, now)).await? {
                    return Ok(None);
                }
                changed = false;
                continue;
            }
            let done = self.step(&order, step).await;
            now = Timestamp::now();
            changed = true;
            match done {
                Ok(()) => order.step_done(step, now),
                Err(error) => {
                    tracing::warn!(order.id = %order.id, ?step, %error, "a step failed and will be retried");
                    order.step_failed(now);
                    break;
                }
            }
        }
        if changed {
            match crash::around("order.steps", self.store.save(&order, &[])).await {
                Ok(version) => order.version = version,
                Err(StoreError::Conflict) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(order))
    }

    async fn step(&self, order: &Order, step: SagaStep) -> Outcome<()> {
        match step {
            SagaStep::EmptyCart => {
                let bought = order.stock_lines();
                let emptied = self.calls.ask(CheckOutCart { user: order.user, order: order.id, bought });
                crash::around("order.empty_cart_again", emptied).await?;
            }
            SagaStep::ReleaseStock => {
                let released = self.calls.ask(ReleaseStock { order: order.id, fence: Some(order.version) });
                crash::around("order.release", released).await?;
            }
            SagaStep::Refund => {
                if let Some(payment) = &order.payment {
                    let reason = "order cancelled".to_owned();
                    let refunded = self.calls.ask(RefundAllOfPayment { payment: payment.id, reason });
                    let refunded = crash::around("order.refund", refunded).await;
                    refunded.map_err(|error| {
                        error.and_then(|_| CallError::<OrderRefusal>::unavailable(Service::Payment))
                    })?;
                }
            }
            SagaStep::RestoreCart => {
                // Items of a blocked seller cannot be bought.
                let lines = order.items.iter().filter(|item| !self.is_known_blocked(item.seller));
                let bought = lines.map(OrderItem::stock_line).collect();
                let restored = self.calls.ask(RestoreCart { user: order.user, order: order.id, bought });
                crash::around("order.restore_cart", restored).await?;
            }
            SagaStep::AwaitPayment => {}
        }
        Ok(())
    }

    /// Reads the order, checks the caller's rights, decides, and writes the order with an event; repeats this after a
    /// version conflict. Calls nothing but the store while it holds the lock.
    async fn change(
        &self,
        id: OrderId,
        who: Party,
        event: impl Fn(Order) -> Event,
        decide: impl Fn(&mut Order, Timestamp) -> Outcome<()>,
    ) -> Outcome<Order> {
        let Some(_lock) = self.locks.lock(&id).await else { return Err(StoreError::Busy.into()) };
        for _ in 0..TRIES {
            let mut order = self.read(id).await?;
            allow(&order, who)?;
            let now = Timestamp::now();
            decide(&mut order, now)?;
            if self.save(&mut order, &event, now).await? {
                return Ok(order);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn read(&self, id: OrderId) -> Outcome<Order> {
        self.store.get(id).await?.ok_or(OrderRefusal::NotFound.into())
    }

    /// Writes the order and its event; `false` after a version conflict.
    pub(super) async fn save(
        &self,
        order: &mut Order,
        event: impl Fn(Order) -> Event,
        now: Timestamp,
    ) -> Outcome<bool> {
        let written = Order { version: order.version + 1, ..order.clone() };
        match self.store.save(order, &[envelope(event(written), now)]).await {
            Ok(version) => {
                order.version = version;
                self.notify(order);
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Handles<CancelOrder> for SagaContext {
    async fn handle(&self, call: CancelOrder) -> CallOutcome<CancelOrder> {
        self.cancel(call).await
    }
}

impl Handles<SetOrderAddress> for SagaContext {
    async fn handle(&self, SetOrderAddress { order, who, address }: SetOrderAddress) -> CallOutcome<SetOrderAddress> {
        self.change(order, who, Event::OrderUpdated, |order, now| Ok(order.set_address(address.clone(), now)?)).await
    }
}

impl Handles<ShipOrder> for SagaContext {
    async fn handle(&self, ShipOrder { order, who, tracking }: ShipOrder) -> CallOutcome<ShipOrder> {
        let ship = |order: &mut Order, now| Ok(order.ship(seller(who), tracking.as_deref(), now)?);
        Ok(seen_by(self.change(order, who, shipment_event, ship).await?, who))
    }
}

impl Handles<DeliverOrder> for SagaContext {
    async fn handle(&self, DeliverOrder { order, who, tracking }: DeliverOrder) -> CallOutcome<DeliverOrder> {
        let deliver = |order: &mut Order, now| Ok(order.deliver(seller(who), tracking.as_deref(), now)?);
        Ok(seen_by(self.change(order, who, shipment_event, deliver).await?, who))
    }
}

impl Handles<RefuseOrderPayment> for SagaContext {
    async fn handle(&self, call: RefuseOrderPayment) -> CallOutcome<RefuseOrderPayment> {
        self.refuse_payment(call.order).await
    }
}

impl Handles<SettleOrder> for SagaContext {
    async fn handle(&self, call: SettleOrder) -> CallOutcome<SettleOrder> {
        self.settle(call.order, &call.payment).await
    }
}

impl Handles<NoteOrderRefund> for SagaContext {
    async fn handle(&self, call: NoteOrderRefund) -> CallOutcome<NoteOrderRefund> {
        self.note_refund(call.order, &call.note).await
    }
}

/// The event of shipped or delivered lines: the order's new status, or the lines.
fn shipment_event(order: Order) -> Event {
    let Some(now) = order.timeline.last().filter(|entry| entry.at == order.updated_at) else {
        return Event::OrderUpdated(order);
    };
    match (now.part, order.status) {
        (Some(part), _) => Event::OrderPartMoved { order, part },
        (None, OrderStatus::Shipped) => Event::OrderShipped(order),
        (None, OrderStatus::Delivered) => Event::OrderDelivered(order),
        (None, _) => Event::OrderUpdated(order),
    }
}

const fn seller(who: Party) -> Option<UserId> {
    match who {
        Party::Seller(seller) => Some(seller),
        Party::Buyer(_) | Party::Admin => None,
    }
}
