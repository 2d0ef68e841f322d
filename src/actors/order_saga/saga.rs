//! The saga's steps. Each reads the order, does what may be repeated, and writes with the
//! version it read.
//!
//! **Invariant:** no step relies on another one's having run in this process; each may be
//! repeated.

use std::sync::Arc;

use super::{OrderFailure, Party, allow, place::Draft};
use crate::{
    actors::runtime::{StripedLocks, happened},
    crash,
    domain::{
        Timestamp,
        event::Event,
        ids::{OrderId, UserId},
        inventory::StockError,
        order::{CancelCause, Expiry, LateMoney, Order, OrderPayment, OrderStatus, RefundNote, SagaStep},
        user::PostalAddress,
    },
    peers::{InventoryError, Peers, Settlement},
    store::{OrderStore, StoreError},
};

/// How often a decision is made anew when another writer was first.
const TRIES: u32 = 16;

/// How many orders of this process can be changed at once without waiting needlessly.
const TURNS: usize = 1_024;

/// What the steps work with.
#[derive(Clone)]
pub struct SagaContext {
    pub(super) store: Arc<dyn OrderStore>,
    pub(super) peers: Peers,
    /// Changes of one order wait for one another here, so that none loses race after race.
    /// The saga's mailbox cannot do it: its other handlers wait for other services.
    turns: Arc<StripedLocks>,
}

type Outcome<T> = Result<T, OrderFailure>;

impl SagaContext {
    pub(super) fn new(store: Arc<dyn OrderStore>, peers: Peers) -> Self {
        Self { store, peers, turns: Arc::new(StripedLocks::new(TURNS)) }
    }

    /// Holds the stock, writes the order, empties the cart.
    pub(super) async fn place(&self, draft: Draft) -> Outcome<Order> {
        let Draft { new, pricing, bought, key } = draft;
        let (id, inventory) = (new.id, self.peers.inventory()?);
        let now = Timestamp::now();
        let mut order = Order::place(new, &pricing, now)?;
        crash::point("order.hold.before");
        match inventory.reserve(id, order.stock_lines()).await {
            Ok(_) => {}
            Err(InventoryError::Rule(StockError::Short(short))) => return Err(OrderFailure::Short(short)),
            // A product without any stock kept: nothing of it can be had.
            Err(InventoryError::Rule(_)) => return Err(OrderFailure::Short(vec![])),
            Err(InventoryError::Peer(error)) => {
                // It may have been held all the same; the expiry would give it back, but late.
                self.give_back(id).await;
                return Err(error.into());
            }
        }
        crash::point("order.hold.after");
        let told = Order { version: order.version + 1, ..order.clone() };
        let created = happened(Event::OrderCreated(told), now);
        crash::point("order.write.before");
        match self.store.insert(&order, key.as_ref(), &[created]).await {
            Ok(version) => order.version = version,
            // Whether it was written is unknown: the stock stays held, and ends with the order
            // or by its expiry.
            Err(error @ StoreError::Deadline) => return Err(error.into()),
            Err(error) => {
                self.give_back(id).await;
                return Err(error.into());
            }
        }
        crash::point("order.write.after");
        let carts = self.peers.carts()?;
        crash::point("order.empty_cart.before");
        if let Err(error) = carts.check_out(order.user, id, bought).await {
            tracing::warn!(order.id = %id, %error, "the cart will be emptied later");
        }
        crash::point("order.empty_cart.after");
        Ok(order)
    }

    /// Lets go of stock for an order that was not made. It need not work: it expires.
    async fn give_back(&self, id: OrderId) {
        if let Ok(inventory) = self.peers.inventory()
            && let Err(error) = inventory.release(id, None).await
        {
            tracing::warn!(order.id = %id, %error, "held stock waits for its expiry");
        }
    }

    /// Ends the order at its buyer's wish.
    pub(super) async fn cancel(&self, id: OrderId, who: Party, reason: Option<String>) -> Outcome<Order> {
        let order = self
            .change(id, who, Event::OrderCancelled, |order, now| {
                order.cancel(CancelCause::Buyer, reason.clone(), now)?;
                crash::point("order.cancel.before");
                Ok(())
            })
            .await?;
        crash::point("order.cancel.after");
        // The order is cancelled whatever becomes of the steps now: what fails is due again.
        match self.run_steps(order.clone()).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => self.read(id).await,
            Err(error) => {
                tracing::warn!(order.id = %id, %error, "a cancelled order's steps are done later");
                Ok(order)
            }
        }
    }

    /// Sets where the goods go.
    pub(super) async fn set_address(&self, id: OrderId, who: Party, address: &PostalAddress) -> Outcome<Order> {
        self.change(id, who, Event::OrderUpdated, |order, now| Ok(order.set_address(address.clone(), now)?)).await
    }

    /// Marks lines as shipped.
    pub(super) async fn ship(&self, id: OrderId, who: Party, tracking: Option<&str>) -> Outcome<Order> {
        self.change(id, who, moved, |order, now| Ok(order.ship(seller(who), tracking, now)?)).await
    }

    /// Marks lines as delivered.
    pub(super) async fn deliver(&self, id: OrderId, who: Party, tracking: Option<&str>) -> Outcome<Order> {
        self.change(id, who, moved, |order, now| Ok(order.deliver(seller(who), tracking, now)?)).await
    }

    /// Lets the timeline show a refund.
    pub(super) async fn note_refund(&self, id: OrderId, note: &RefundNote) -> Outcome<()> {
        let Some(_turn) = self.turns.lock(&id).await else { return Err(StoreError::Busy.into()) };
        for _ in 0..TRIES {
            let mut order = self.read(id).await?;
            let now = Timestamp::now();
            if !order.note_refund(note, now) {
                return Ok(());
            }
            crash::point("order.note.before");
            if self.save(&mut order, Event::OrderUpdated, now).await? {
                crash::point("order.note.after");
                return Ok(());
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Does what is due.
    pub(super) async fn wake(&self, id: OrderId) -> Outcome<Order> {
        let order = self.read(id).await?;
        match self.run_steps(order).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => self.read(id).await,
            Err(error) => {
                // Put off, so that an order which keeps failing does not keep others waiting.
                let mut order = self.read(id).await?;
                order.step_failed(Timestamp::now());
                match self.store.save(&order, &[]).await {
                    Ok(_) | Err(StoreError::Conflict) => Err(error),
                    Err(worse) => Err(worse.into()),
                }
            }
        }
    }

    /// Applies captured money.
    pub(super) async fn settle(&self, id: OrderId, payment: &OrderPayment) -> Outcome<Settlement> {
        let inventory = self.peers.inventory()?;
        for _ in 0..TRIES {
            let mut order = self.read(id).await?;
            let fence = Some(order.version + 1);
            let taken = match order.on_money(payment.id) {
                LateMoney::Applied => return Ok(Settlement::Kept),
                LateMoney::Unwanted => {
                    if order.status == OrderStatus::Cancelled {
                        crash::point("order.unwanted.before");
                        inventory.release(id, Some(order.version)).await?;
                        crash::point("order.unwanted.after");
                    }
                    return Ok(Settlement::GiveBack);
                }
                LateMoney::Awaited => {
                    crash::point("order.commit.before");
                    let held = match inventory.commit(id, fence).await {
                        Err(InventoryError::Rule(_)) => inventory.retake(id, order.stock_lines(), fence).await,
                        held => held,
                    };
                    crash::point("order.commit.after");
                    held
                }
                LateMoney::Late => {
                    crash::point("order.retake.before");
                    let held = inventory.retake(id, order.stock_lines(), fence).await;
                    crash::point("order.retake.after");
                    held
                }
            };
            let now = Timestamp::now();
            match taken {
                Ok(_) => {
                    order.confirm(payment.clone(), now)?;
                    crash::point("order.confirm.before");
                    if self.save(&mut order, Event::OrderConfirmed, now).await? {
                        crash::point("order.confirm.after");
                        return Ok(Settlement::Kept);
                    }
                }
                Err(InventoryError::Peer(error)) => return Err(error.into()),
                // Unpaid for too long to be held, and sold to others since. That the money goes back
                // is written first: another call may find the stock there again.
                Err(InventoryError::Rule(_)) => {
                    crash::point("order.refuse.before");
                    let refused = if order.status == OrderStatus::Cancelled {
                        order.refuse_money(now)?;
                        self.save(&mut order, Event::OrderUpdated, now).await?
                    } else {
                        order.cancel(CancelCause::SoldOut, Some("expired".to_owned()), now)?;
                        self.save(&mut order, Event::OrderCancelled, now).await?
                    };
                    if refused {
                        crash::point("order.refuse.after");
                        return Ok(Settlement::GiveBack);
                    }
                }
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Does the steps that are to do now, in their order; `None` when another writer was first.
    async fn run_steps(&self, mut order: Order) -> Outcome<Option<Order>> {
        let (mut now, mut changed) = (Timestamp::now(), false);
        while let Some(step) = order.saga.todo.first().copied() {
            if step == SagaStep::AwaitPayment {
                if order.expiry(now) == Expiry::NotDue || self.paid_in_time(&order).await? {
                    break;
                }
                order.cancel(CancelCause::Expired, Some("expired".to_owned()), now)?;
                crash::point("order.expire.before");
                if !self.save(&mut order, Event::OrderCancelled, now).await? {
                    return Ok(None);
                }
                crash::point("order.expire.after");
                changed = false;
                continue;
            }
            let done = self.step(&order, step).await;
            now = Timestamp::now();
            changed = true;
            match done {
                Ok(()) => order.step_done(step, now),
                Err(error) => {
                    tracing::warn!(order.id = %order.id, ?step, %error, "a step failed and is tried again");
                    order.step_failed(now);
                    break;
                }
            }
        }
        if changed {
            crash::point("order.steps.before");
            match self.store.save(&order, &[]).await {
                Ok(version) => {
                    order.version = version;
                    crash::point("order.steps.after");
                }
                Err(StoreError::Conflict) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(order))
    }

    async fn step(&self, order: &Order, step: SagaStep) -> Outcome<()> {
        match step {
            SagaStep::EmptyCart => {
                crash::point("order.empty_cart_again.before");
                self.peers.carts()?.check_out(order.user, order.id, order.stock_lines()).await?;
                crash::point("order.empty_cart_again.after");
            }
            SagaStep::ReleaseStock => {
                crash::point("order.release.before");
                self.peers.inventory()?.release(order.id, Some(order.version)).await?;
                crash::point("order.release.after");
            }
            SagaStep::Refund => {
                if let Some(payment) = &order.payment {
                    let reason = "order cancelled".to_owned();
                    crash::point("order.refund.before");
                    self.peers.payments()?.refund(payment.id, reason).await?;
                    crash::point("order.refund.after");
                }
            }
            SagaStep::AwaitPayment => {}
        }
        Ok(())
    }

    /// Whether money was captured that the order has not heard of; it is applied then. Not
    /// knowing is no reason to keep stock from others: late money is handled when it comes.
    async fn paid_in_time(&self, order: &Order) -> Outcome<bool> {
        let captured = match self.peers.payments() {
            Ok(payments) => payments.captured(order.id).await.unwrap_or(None),
            Err(_) => None,
        };
        let Some((payment, payment_id)) = captured.and_then(|payment| Some((payment.id, payment.payment_id?))) else {
            return Ok(false);
        };
        let payment = OrderPayment { id: payment, payment_id, at: Timestamp::now() };
        Ok(Box::pin(self.settle(order.id, &payment)).await? == Settlement::Kept)
    }

    /// Reads, checks who asks, decides, writes with an event, until no other writer is first.
    /// Nobody but the store is asked while it has its turn.
    async fn change(
        &self,
        id: OrderId,
        who: Party,
        event: impl Fn(Order) -> Event,
        decide: impl Fn(&mut Order, Timestamp) -> Outcome<()>,
    ) -> Outcome<Order> {
        let Some(_turn) = self.turns.lock(&id).await else { return Err(StoreError::Busy.into()) };
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

    async fn read(&self, id: OrderId) -> Outcome<Order> {
        self.store.get(id).await?.ok_or(OrderFailure::NotFound)
    }

    /// Writes the order and its event; `false` when another writer was first.
    async fn save(&self, order: &mut Order, event: impl Fn(Order) -> Event, now: Timestamp) -> Outcome<bool> {
        let told = Order { version: order.version + 1, ..order.clone() };
        match self.store.save(order, &[happened(event(told), now)]).await {
            Ok(version) => {
                order.version = version;
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The event of lines that moved: the order's new status, or a mere update.
fn moved(order: Order) -> Event {
    let reached_now = order.timeline.last().is_some_and(|entry| entry.at == order.updated_at);
    match order.status {
        OrderStatus::Shipped if reached_now => Event::OrderShipped(order),
        OrderStatus::Delivered if reached_now => Event::OrderDelivered(order),
        _ => Event::OrderUpdated(order),
    }
}

const fn seller(who: Party) -> Option<UserId> {
    match who {
        Party::Seller(seller) => Some(seller),
        Party::Buyer(_) | Party::Admin => None,
    }
}
