//! Checks whether a payment's ledger, its refunds and its order agree.
//!
//! **Invariant:** money that is neither the order's nor being refunded is reported.

use std::collections::HashSet;

use super::{Movement, Payment, PaymentStatus, Refund, RefundStatus};
use crate::domain::{
    ids::PaymentId,
    money::Money,
    order::{Order, OrderStatus, SagaStep},
};

/// The order's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderSide {
    /// Its status.
    pub status: OrderStatus,
    /// The payment that confirmed it.
    pub paid_by: Option<PaymentId>,
    /// Its total.
    pub total: Money,
    /// Whether it still has to request its refund.
    pub to_be_refunded: bool,
    /// Whether it is open and no line was shipped.
    pub is_unshipped: bool,
    /// The refunded amount that it was notified of.
    pub refunded: Option<Money>,
}

impl From<&Order> for OrderSide {
    fn from(order: &Order) -> Self {
        Self {
            status: order.status,
            paid_by: order.payment.as_ref().map(|payment| payment.id),
            total: order.total,
            to_be_refunded: order.saga.todo.contains(&SagaStep::Refund),
            is_unshipped: order.is_unshipped(),
            refunded: order.refunded,
        }
    }
}

/// The messages found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// The contradictions.
    pub wrong: Vec<String>,
    /// Minor units that are neither kept for the order nor refunded yet.
    pub on_its_way: i64,
    /// Minor units captured.
    pub captured: i64,
    /// Minor units that were refunded, without failed refunds.
    pub refunded: i64,
}

impl Payment {
    /// Compares the ledger with the refunds, the status and the order (`None`: there is none).
    #[must_use]
    pub fn audit(&self, order: Option<OrderSide>) -> Audit {
        let mut audit = Audit {
            captured: self.ledger.moved(Movement::Captured),
            refunded: self.ledger.moved(Movement::Refunded) - self.ledger.moved(Movement::RefundFailed),
            ..Audit::default()
        };
        self.audit_entries(&mut audit);
        self.audit_refunds(&mut audit);
        self.audit_extra(&mut audit);
        self.audit_order(order, &mut audit);
        audit
    }

    fn audit_entries(&self, audit: &mut Audit) {
        let mut captured = HashSet::new();
        for (number, entry) in (1..).zip(self.ledger.entries()) {
            if entry.number != number {
                audit.wrong.push(format!("entry {number} has the number {}", entry.number));
            }
            if entry.amount.minor() <= 0 {
                audit.wrong.push(format!("entry {number} moves {}", entry.amount));
            }
            if (entry.debit, entry.credit) != entry.movement.accounts() {
                audit.wrong.push(format!("entry {number} is not booked as its movement is"));
            }
            if entry.movement == Movement::Captured && !captured.insert(entry.payment_id.as_str()) {
                audit.wrong.push(format!("{} is captured twice", entry.payment_id));
            }
            if entry.movement != Movement::Captured && !captured.contains(entry.payment_id.as_str()) {
                audit.wrong.push(format!("entry {number} is about {}, which was not captured", entry.payment_id));
            }
        }
        for payment_id in captured {
            if self.ledger.owed(payment_id) < 0 {
                audit.wrong.push(format!("more of {payment_id} went back than was captured"));
            }
        }
        let main = self.payment_id.as_deref().filter(|_| self.has_money());
        let main = main.and_then(|id| self.ledger.captures().find(|entry| entry.payment_id == id));
        if self.has_money() && main.map(|entry| entry.amount) != Some(self.price) {
            audit.wrong.push(format!("it is {} and {} is not captured", self.status.as_str(), self.price));
        }
        let all_back = self.payment_id.as_deref().is_some_and(|id| self.ledger.owed(id) == 0);
        let trying = self.own_refunds().any(Refund::is_unsent);
        if self.status == PaymentStatus::Refunded && !all_back && !trying {
            audit.wrong.push("it is REFUNDED and not all of it is back".to_owned());
        }
    }

    fn audit_refunds(&self, audit: &mut Audit) {
        for refund in &self.refunds {
            let of = |movement: Movement| {
                let own = move |entry: &&super::Entry| entry.refund == Some(refund.id) && entry.movement == movement;
                self.ledger.entries().iter().filter(own)
            };
            let (taken, back) = (of(Movement::Refunded).count(), of(Movement::RefundFailed).count());
            let expected = match (&refund.gateway_id, refund.status) {
                (None, _) => (0, 0),
                (Some(_), RefundStatus::Failed) => (1, 1),
                (Some(_), _) => (1, 0),
            };
            if (taken, back) != expected {
                audit.wrong.push(format!("refund {} is booked {taken} times, and back {back} times", refund.id));
            }
            if of(Movement::Refunded).any(|entry| entry.amount != refund.amount) {
                audit.wrong.push(format!("refund {} is booked with another amount", refund.id));
            }
        }
    }

    /// Captured money that is not the order's.
    fn audit_extra(&self, audit: &mut Audit) {
        let main = self.payment_id.as_deref().filter(|_| self.has_money());
        for entry in self.ledger.captures().filter(|entry| Some(entry.payment_id.as_str()) != main) {
            let owed = self.ledger.owed(&entry.payment_id);
            audit.on_its_way += owed;
            if owed != self.about_to_go(&entry.payment_id) {
                audit.wrong.push(format!("{} is kept and is not the order's", entry.payment_id));
            }
        }
    }

    fn audit_order(&self, order: Option<OrderSide>, audit: &mut Audit) {
        let Some(payment_id) = self.payment_id.as_deref().filter(|_| self.has_money()) else { return };
        let owed = self.ledger.owed(payment_id);
        let going = self.about_to_go(payment_id);
        let Some(order) = order else {
            audit.wrong.push("there is no such order".to_owned());
            return;
        };
        let kept = order.status.is_sale() && order.paid_by == Some(self.id);
        if kept && order.total != self.price {
            audit.wrong.push(format!("the order costs {}", order.total));
        }
        if kept {
            audit.on_its_way += going;
            self.audit_notified(order, audit);
            return;
        }
        audit.on_its_way += owed;
        let notified = self.settled && !order.to_be_refunded;
        if notified && owed != going {
            audit.wrong.push(format!("{} of an order that is {} is kept", payment_id, order.status.as_str()));
        }
    }

    /// Whether an order that counts as sold has the right refunds, once it was notified of all of them.
    fn audit_notified(&self, order: OrderSide, audit: &mut Audit) {
        if self.unnoted_refund().is_some() {
            return;
        }
        let taken = self.own_refunds().filter(|refund| refund.gateway_id.is_some());
        let back: i64 = taken.map(|refund| refund.amount.minor()).sum();
        let status = order.status.as_str();
        if self.status == PaymentStatus::Refunded && order.is_unshipped {
            audit.wrong.push(format!("it is REFUNDED and the order is still {status}, with nothing shipped"));
        } else if back > order.refunded.map_or(0, Money::minor) {
            let back = Money::new(back, self.price.currency());
            audit.wrong.push(format!("{back} went back and the order, which is {status}, was not told of all of it"));
        }
    }

    /// Minor units of a captured payment with decided refunds that are not accepted yet.
    fn about_to_go(&self, payment_id: &str) -> i64 {
        let unsent = self.refunds.iter().filter(|refund| refund.payment_id == payment_id && refund.is_unsent());
        unsent.map(|refund| refund.amount.minor()).sum()
    }
}
