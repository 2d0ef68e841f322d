//! The transitions between an order's states.

use std::time::Duration;

use growing_backoff::Backoff;
use jiff::SignedDuration;

use super::{
    CancelCause, Order, OrderError, OrderItem, OrderPayment, OrderStatus, Part, RefundNote, Saga, SagaStep, Shipment,
    TimelineEntry,
};
use crate::domain::{
    Timestamp,
    ids::{PaymentId, UserId},
    money::Money,
    user::PostalAddress,
};

/// The effect of a captured payment on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateMoney {
    /// The order awaits payment: commit the stock, then confirm.
    Awaited,
    /// This payment confirmed the order before.
    Applied,
    /// The order expired: take the stock again if it is available, otherwise refund.
    Late,
    /// The order cannot keep it (the buyer cancelled, or another payment was first): refund.
    Unwanted,
}

/// The effect of a refund on the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It was known already.
    Before,
    /// It was added to the timeline.
    Shown,
    /// Nothing was shipped and no money is left, so the order is cancelled.
    Ended,
}

/// The effect of the end of the payment window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// The window has ended: cancel.
    Due,
    /// It has not ended, or the order is no longer pending.
    NotDue,
}

/// The writer of pending work does it first; after this time another worker does.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// A change of shipment, and its name as a participle.
struct ShipmentChange {
    from: Shipment,
    to: Shipment,
    action: &'static str,
}

/// The reason of an order that the payment gateway refuses permanently.
const PAYMENT_REFUSED: &str = "payment refused";
/// The reason of an order that was refunded before anything was shipped.
const REFUNDED: &str = "refunded";

/// The pauses between attempts of a saga step. A step fails because another service is unavailable, and
/// retrying is cheap then: stock and money should be settled soon after it is back.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));

impl Order {
    /// The effect of the captured payment `payment` now.
    #[must_use]
    pub fn on_money(&self, payment: PaymentId) -> LateMoney {
        match (&self.payment, self.status, self.cancel_cause) {
            (Some(paid), ..) if paid.id != payment => LateMoney::Unwanted,
            (_, OrderStatus::Pending, _) if self.is_refunded_in_full() => LateMoney::Unwanted,
            (_, OrderStatus::Pending, _) => LateMoney::Awaited,
            (_, OrderStatus::Cancelled, Some(CancelCause::Expired)) => LateMoney::Late,
            (_, OrderStatus::Cancelled, _) => LateMoney::Unwanted,
            (Some(_), ..) => LateMoney::Applied,
            (None, ..) => LateMoney::Unwanted,
        }
    }

    /// Confirms the order: the stock is committed and the money is captured.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless it is `PENDING` or was cancelled as expired.
    pub fn confirm(&mut self, payment: OrderPayment, now: Timestamp) -> Result<(), OrderError> {
        let late = self.cancel_cause == Some(CancelCause::Expired);
        if self.status != OrderStatus::Pending && !(self.status == OrderStatus::Cancelled && late) {
            return Err(self.wrong_state("confirmed"));
        }
        self.payment = Some(payment);
        self.cancel_cause = None;
        // A cart that may not have been emptied is still checked.
        self.saga.todo.retain(|step| *step == SagaStep::EmptyCart);
        self.reach(OrderStatus::Confirmed, None, now);
        self.schedule(now);
        Ok(())
    }

    /// Refunds late money, because there is no stock or the seller is blocked. Written before the refund, so that no
    /// other caller that finds stock meanwhile confirms the order.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless it was cancelled as expired.
    pub fn refuse_money(&mut self, cause: CancelCause, now: Timestamp) -> Result<(), OrderError> {
        if self.status != OrderStatus::Cancelled || self.cancel_cause != Some(CancelCause::Expired) {
            return Err(self.wrong_state("refunded"));
        }
        self.cancel_cause = Some(cause);
        self.updated_at = now;
        Ok(())
    }

    /// Whether the window has ended without payment.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        if self.status == OrderStatus::Pending && self.expires_at <= now { Expiry::Due } else { Expiry::NotDue }
    }

    /// Cancels the order; the steps that are then pending return stock and money.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] once a line is shipped, or when it is cancelled already.
    pub fn cancel(&mut self, cause: CancelCause, reason: Option<String>, now: Timestamp) -> Result<(), OrderError> {
        if !self.is_unshipped() {
            return Err(self.wrong_state("cancelled"));
        }
        self.saga.todo.retain(|step| *step == SagaStep::EmptyCart);
        self.saga.todo.push(SagaStep::ReleaseStock);
        if self.payment.is_some() && cause != CancelCause::Refunded {
            self.saga.todo.push(SagaStep::Refund);
        }
        if cause.puts_back() {
            self.saga.todo.push(SagaStep::RestoreCart);
        }
        self.cancel_cause = Some(cause);
        self.reach(OrderStatus::Cancelled, reason, now);
        self.schedule(now);
        Ok(())
    }

    /// Cancels an order that the payment gateway will never accept; the steps that are then pending return stock and
    /// cart.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless `PENDING`.
    pub fn refuse_payment(&mut self, now: Timestamp) -> Result<(), OrderError> {
        if self.status != OrderStatus::Pending {
            return Err(self.wrong_state("refused"));
        }
        self.cancel(CancelCause::PaymentRefused, Some(PAYMENT_REFUSED.to_owned()), now)
    }

    /// Cancels an unpaid order, because a seller in it is blocked.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless it is `PENDING`.
    pub fn suspend(&mut self, now: Timestamp) -> Result<(), OrderError> {
        if self.status != OrderStatus::Pending {
            return Err(self.wrong_state("cancelled"));
        }
        self.cancel(CancelCause::SellerSuspended, Some("seller suspended".to_owned()), now)
    }

    /// The sellers in it, each once.
    #[must_use]
    pub fn sellers(&self) -> Vec<UserId> {
        let mut sellers: Vec<UserId> = self.items.iter().map(|item| item.seller).collect();
        sellers.sort_unstable();
        sellers.dedup();
        sellers
    }

    /// Sets the destination.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless `PENDING` or `CONFIRMED` with nothing shipped.
    pub fn set_address(&mut self, address: PostalAddress, now: Timestamp) -> Result<(), OrderError> {
        if !self.is_unshipped() {
            return Err(self.wrong_state("sent elsewhere"));
        }
        self.shipping_address = Some(address);
        self.updated_at = now;
        Ok(())
    }

    /// Marks the lines of `seller` (`None`: all that wait) as shipped; the order is
    /// `SHIPPED` when all are.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] out of order, `NoAddress`, `NotASeller`.
    pub fn ship(&mut self, seller: Option<UserId>, tracking: Option<&str>, now: Timestamp) -> Result<(), OrderError> {
        let leg = ShipmentChange { from: Shipment::Waiting, to: Shipment::Shipped, action: "shipped" };
        self.move_lines(seller, leg, tracking, now)
    }

    /// Marks the lines of `seller` (`None`: all that are on their way) as delivered; the
    /// order is `DELIVERED` when all are.
    ///
    /// # Errors
    /// As [`Order::ship`].
    pub fn deliver(
        &mut self,
        seller: Option<UserId>,
        tracking: Option<&str>,
        now: Timestamp,
    ) -> Result<(), OrderError> {
        if seller.is_none() && self.items.iter().any(|item| item.shipment == Shipment::Waiting) {
            return Err(self.wrong_state("delivered"));
        }
        let leg = ShipmentChange { from: Shipment::Shipped, to: Shipment::Delivered, action: "delivered" };
        self.move_lines(seller, leg, tracking, now)
    }

    fn move_lines(
        &mut self,
        seller: Option<UserId>,
        leg: ShipmentChange,
        tracking: Option<&str>,
        now: Timestamp,
    ) -> Result<(), OrderError> {
        let ShipmentChange { from, to, action } = leg;
        if seller.is_some_and(|seller| !self.has_seller(seller)) {
            return Err(OrderError::NotASeller);
        }
        if !matches!(self.status, OrderStatus::Confirmed | OrderStatus::Shipped) {
            return Err(self.wrong_state(action));
        }
        if self.shipping_address.is_none() {
            return Err(OrderError::NoAddress);
        }
        if to == Shipment::Shipped && self.is_refunded_in_full() {
            return Err(OrderError::Refunded);
        }
        let mine = |item: &OrderItem| seller.is_none_or(|seller| item.seller == seller);
        let mut titles = vec![];
        for item in self.items.iter_mut().filter(|item| mine(item) && item.shipment == from) {
            item.shipment = to;
            if let Some(number) = tracking {
                item.tracking_number = Some(number.to_owned());
            }
            titles.push(item.title.clone());
        }
        let Some(first) = titles.first() else { return Err(self.wrong_state(action)) };
        let reported = match titles.len() {
            1 => format!("{first} {action}"),
            many => format!("{first} and {} more {action}", many - 1),
        };
        self.updated_at = now;
        if self.items.iter().all(|item| item.shipment == Shipment::Delivered) {
            self.reach(OrderStatus::Delivered, None, now);
        } else if self.status == OrderStatus::Confirmed
            && self.items.iter().all(|item| item.shipment != Shipment::Waiting)
        {
            self.reach(OrderStatus::Shipped, None, now);
        } else if let Some(seller) = seller {
            // Other lines are not as far, so the status stays.
            let part = Some(Part { seller, shipment: to });
            let entry = TimelineEntry { status: self.status, at: now, reason: Some(reported), refund: None, part };
            self.timeline.push(entry);
        }
        Ok(())
    }

    /// Adds a refund to the timeline, once, as soon as the gateway has accepted it. An order without shipped lines is
    /// cancelled when all of its money is refunded, or decided to be.
    pub fn note_refund(&mut self, note: &RefundNote, now: Timestamp) -> Noted {
        let shown = self.timeline.iter().any(|entry| entry.refund == Some(note.refund));
        let mut noted = Noted::Before;
        let known = self.refunded.map_or(0, Money::minor);
        let refunded = match note.refunded {
            Some(refunded) => refunded.minor(),
            // Notified by an older program, one refund after the other.
            None if shown => known,
            None => known.saturating_add(note.amount.minor()),
        };
        if refunded > known {
            self.refunded = Some(Money::new(refunded, self.total.currency()));
            self.updated_at = now;
            noted = Noted::Shown;
        }
        if !shown && !note.pending {
            let reason = note.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            let reason = Some(format!("{} refunded{reason}", note.amount));
            self.updated_at = now;
            let refund = Some(note.refund);
            self.timeline.push(TimelineEntry { status: self.status, at: now, reason, refund, part: None });
            noted = Noted::Shown;
        }
        // Refused if it is cancelled already, or a line was shipped.
        if self.is_refunded_in_full() && self.cancel(CancelCause::Refunded, Some(REFUNDED.to_owned()), now).is_ok() {
            noted = Noted::Ended;
        }
        noted
    }

    /// Marks a step as done (it may be already).
    pub fn step_done(&mut self, step: SagaStep, now: Timestamp) {
        self.saga.todo.retain(|todo| *todo != step);
        self.saga.attempts = 0;
        self.schedule(now);
    }

    /// Records a failed step; the next attempt follows after a pause that doubles up to half a minute.
    pub fn step_failed(&mut self, now: Timestamp) {
        self.saga.attempts = self.saga.attempts.saturating_add(1);
        self.saga.due_at = now.saturating_add(PAUSES.after(self.saga.attempts)).ok();
    }

    /// When the order is due next: at the window's end while it only awaits payment, soon when steps are pending.
    fn schedule(&mut self, now: Timestamp) {
        let Saga { todo, due_at, .. } = &mut self.saga;
        *due_at = match todo.first() {
            None => None,
            Some(SagaStep::AwaitPayment) => Some(self.expires_at),
            Some(_) => now.saturating_add(GRACE).ok(),
        };
    }

    fn reach(&mut self, status: OrderStatus, reason: Option<String>, now: Timestamp) {
        self.status = status;
        self.updated_at = now;
        self.timeline.push(TimelineEntry { status, at: now, reason, refund: None, part: None });
    }

    fn wrong_state(&self, action: &'static str) -> OrderError {
        OrderError::WrongState { status: self.status, action: action.into() }
    }
}

#[cfg(test)]
mod tests;
