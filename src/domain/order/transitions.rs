//! The arrows between an order's states.

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

/// What money that has arrived means for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateMoney {
    /// The order awaits it: commit the stock, then confirm.
    Awaited,
    /// This very payment confirmed the order before.
    Applied,
    /// The order expired: take the stock again if it is there, else refund.
    Late,
    /// It is not wanted (the buyer cancelled, or another payment was first): refund.
    Unwanted,
}

/// What came of a refund that the order was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It was known.
    Before,
    /// The order shows it.
    Shown,
    /// Nothing of it had left, and no money is left for it: it is cancelled.
    Ended,
}

/// What the end of the payment window means for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is over: cancel.
    Due,
    /// It is not, or the order is past that.
    NotDue,
}

/// Whoever wrote what is to do is still at it; after this somebody else looks.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// A part of the way of goods, and its name as a participle.
struct Leg {
    from: Shipment,
    to: Shipment,
    action: &'static str,
}

/// Why an order ended that the payment gateway refuses for good.
const PAYMENT_REFUSED: &str = "payment refused";
/// Why an order ended whose money was given back before anything left.
const REFUNDED: &str = "refunded";

/// The longest pause between two tries of a saga step. A step fails because another service is
/// away, and asking costs little then: stock and money are to be right soon after it is back.
const PAUSE_MAX: SignedDuration = SignedDuration::from_secs(30);

impl Order {
    /// What a captured payment `payment` means now.
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

    /// The stock is committed and the money is here.
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
        // A cart that was not seen to be emptied is still looked at.
        self.saga.todo.retain(|step| *step == SagaStep::EmptyCart);
        self.reach(OrderStatus::Confirmed, None, now);
        self.schedule(now);
        Ok(())
    }

    /// Late money came and the stock was gone, or its seller is blocked: it goes back. Written before it does, so that
    /// nobody who finds stock again meanwhile confirms the order.
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

    /// Whether the window has ended without money.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        if self.status == OrderStatus::Pending && self.expires_at <= now { Expiry::Due } else { Expiry::NotDue }
    }

    /// Ends the order; stock and money go back by the steps that are then to do.
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

    /// Ends an order that the payment gateway will never take; stock and cart come back by the
    /// steps that are then to do.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless `PENDING`.
    pub fn refuse_payment(&mut self, now: Timestamp) -> Result<(), OrderError> {
        if self.status != OrderStatus::Pending {
            return Err(self.wrong_state("refused"));
        }
        self.cancel(CancelCause::PaymentRefused, Some(PAYMENT_REFUSED.to_owned()), now)
    }

    /// Ends an order that nobody has paid, because a seller in it is blocked.
    ///
    /// # Errors
    /// [`OrderError::WrongState`] unless it is `PENDING`.
    pub fn suspend(&mut self, now: Timestamp) -> Result<(), OrderError> {
        if self.status != OrderStatus::Pending {
            return Err(self.wrong_state("cancelled"));
        }
        self.cancel(CancelCause::SellerSuspended, Some("seller suspended".to_owned()), now)
    }

    /// Who sells something in it, each once.
    #[must_use]
    pub fn sellers(&self) -> Vec<UserId> {
        let mut sellers: Vec<UserId> = self.items.iter().map(|item| item.seller).collect();
        sellers.sort_unstable();
        sellers.dedup();
        sellers
    }

    /// Sets where the goods go.
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
        let leg = Leg { from: Shipment::Waiting, to: Shipment::Shipped, action: "shipped" };
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
        let leg = Leg { from: Shipment::Shipped, to: Shipment::Delivered, action: "delivered" };
        self.move_lines(seller, leg, tracking, now)
    }

    fn move_lines(
        &mut self,
        seller: Option<UserId>,
        leg: Leg,
        tracking: Option<&str>,
        now: Timestamp,
    ) -> Result<(), OrderError> {
        let Leg { from, to, action } = leg;
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
        let told = match titles.len() {
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
            // Lines of others are not as far, so that the status stays.
            let part = Some(Part { seller, shipment: to });
            let entry = TimelineEntry { status: self.status, at: now, reason: Some(told), refund: None, part };
            self.timeline.push(entry);
        }
        Ok(())
    }

    /// The timeline shows a refund, once, as soon as the gateway has it. An order of which nothing
    /// has left ends when all of its money is given back, or decided to be.
    pub fn note_refund(&mut self, note: &RefundNote, now: Timestamp) -> Noted {
        let shown = self.timeline.iter().any(|entry| entry.refund == Some(note.refund));
        let mut noted = Noted::Before;
        let known = self.refunded.map_or(0, Money::minor);
        let refunded = match note.refunded {
            Some(refunded) => refunded.minor(),
            // Told by an older program, one refund after the other.
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
        // Refused when it is cancelled already, or a line has left.
        if self.is_refunded_in_full() && self.cancel(CancelCause::Refunded, Some(REFUNDED.to_owned()), now).is_ok() {
            noted = Noted::Ended;
        }
        noted
    }

    /// A step is done (or was already).
    pub fn step_done(&mut self, step: SagaStep, now: Timestamp) {
        self.saga.todo.retain(|todo| *todo != step);
        self.saga.attempts = 0;
        self.schedule(now);
    }

    /// A step failed for now; the next try comes after a pause that doubles up to half a minute.
    pub fn step_failed(&mut self, now: Timestamp) {
        self.saga.attempts = self.saga.attempts.saturating_add(1);
        let pause = SignedDuration::from_secs(1_i64 << self.saga.attempts.min(10)).min(PAUSE_MAX);
        self.saga.due_at = now.saturating_add(pause).ok();
    }

    /// When to look at the order next: at the window's end while only money is
    /// awaited, soon when something is to be done.
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
