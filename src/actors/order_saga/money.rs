//! How captured payments and refunds change an order.
//!
//! **Invariant:** stock is committed before the order is confirmed, and the refusal of a payment is stored before the
//! payment is refunded.

use super::Settlement;
use super::saga::{Outcome, SagaContext, TRIES};
use crate::{
    actors::{
        inventory::calls::{CommitStock, ReleaseStock, RetakeStock},
        payment::calls::GetCapturedPayment,
    },
    config::Service,
    crash,
    domain::{
        Timestamp,
        event::Event,
        ids::OrderId,
        order::{CancelCause, LateMoney, Noted, Order, OrderPayment, OrderStatus, RefundNote},
    },
    runtime::calls::CallError,
    store::StoreError,
};

impl SagaContext {
    /// Applies a captured payment.
    pub(super) async fn settle(&self, id: OrderId, payment: &OrderPayment) -> Outcome<Settlement> {
        let calls = &self.calls;
        let retake = |order: &Order, fence| calls.ask(RetakeStock { order: id, lines: order.stock_lines(), fence });
        for _ in 0..TRIES {
            let mut order = self.read(id).await?;
            let fence = Some(order.version + 1);
            let wanted = matches!(order.on_money(payment.id), LateMoney::Awaited | LateMoney::Late);
            // A payment that arrives after the seller was blocked is not kept.
            if wanted && !self.blocked_sellers(&order).await?.is_empty() {
                let now = Timestamp::now();
                let event = if order.status == OrderStatus::Cancelled {
                    order.refuse_money(CancelCause::SellerSuspended, now)?;
                    Event::OrderUpdated
                } else {
                    order.suspend(now)?;
                    Event::OrderCancelled
                };
                crash::around("order.refuse", self.save(&mut order, event, now)).await?;
                // Read again: this call or another writer has cancelled the order.
                continue;
            }
            let taken = match order.on_money(payment.id) {
                LateMoney::Applied => return Ok(Settlement::Kept),
                LateMoney::Unwanted => {
                    if order.status == OrderStatus::Cancelled {
                        let release = ReleaseStock { order: id, fence: Some(order.version) };
                        crash::around("order.unwanted", calls.ask(release)).await?;
                    }
                    return Ok(Settlement::GiveBack);
                }
                LateMoney::Awaited => {
                    match crash::around("order.commit", calls.ask(CommitStock { order: id, fence })).await {
                        Err(CallError::Refused(_)) => retake(&order, fence).await,
                        held => held,
                    }
                }
                LateMoney::Late => crash::around("order.retake", retake(&order, fence)).await,
            };
            let now = Timestamp::now();
            match taken {
                Ok(_) => {
                    order.confirm(payment.clone(), now)?;
                    if crash::around("order.confirm", self.save(&mut order, Event::OrderConfirmed, now)).await? {
                        return Ok(Settlement::Kept);
                    }
                }
                // The reservation expired and the stock was sold to others. The refusal is written
                // before the refund: a later call may find stock again.
                Err(CallError::Refused(_)) => {
                    let event = if order.status == OrderStatus::Cancelled {
                        order.refuse_money(CancelCause::SoldOut, now)?;
                        Event::OrderUpdated
                    } else {
                        order.cancel(CancelCause::SoldOut, Some("expired".to_owned()), now)?;
                        Event::OrderCancelled
                    };
                    if crash::around("order.refuse", self.save(&mut order, event, now)).await? {
                        return Ok(Settlement::GiveBack);
                    }
                }
                Err(error) => return Err(error.and_then(|_| CallError::unavailable(Service::Inventory))),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Whether a captured payment exists that the order does not show yet; it is then applied. If this cannot be read,
    /// the order expires: a late payment is handled when it arrives.
    pub(super) async fn paid_in_time(&self, order: &Order) -> Outcome<bool> {
        let captured = self.calls.ask(GetCapturedPayment { order: order.id }).await.unwrap_or(None);
        let Some((payment, payment_id)) = captured.and_then(|payment| Some((payment.id, payment.payment_id?))) else {
            return Ok(false);
        };
        let payment = OrderPayment { id: payment, payment_id, at: Timestamp::now() };
        Ok(Box::pin(self.settle(order.id, &payment)).await? == Settlement::Kept)
    }

    /// Adds a refund to the timeline. If it cancels the order, the stock is released.
    pub(super) async fn note_refund(&self, id: OrderId, note: &RefundNote) -> Outcome<()> {
        if let Some(ended) = self.write_refund(id, note).await? {
            // The payment service waits for this answer; the remaining steps do not call it.
            self.finish_ended(ended).await?;
        }
        Ok(())
    }

    /// Writes the effect of a refund; returns the order if it was cancelled by it.
    async fn write_refund(&self, id: OrderId, note: &RefundNote) -> Outcome<Option<Order>> {
        let Some(_lock) = self.locks.lock(&id).await else { return Err(StoreError::Busy.into()) };
        for _ in 0..TRIES {
            let mut order = self.read(id).await?;
            let now = Timestamp::now();
            let noted = order.note_refund(note, now);
            let event = match noted {
                Noted::Before => return Ok(None),
                Noted::Shown => Event::OrderUpdated,
                Noted::Ended => Event::OrderCancelled,
            };
            if crash::around("order.note", self.save(&mut order, event, now)).await? {
                return Ok((noted == Noted::Ended).then_some(order));
            }
        }
        Err(StoreError::Busy.into())
    }
}
