//! Payments: what an order's buyer paid, and refunds.
//!
//! **Invariant:** a payment of the gateway counts once, and what is captured beyond the order's price is refunded.

mod audit;
mod ledger;
mod refund;
mod schedule;

pub use audit::{Audit, OrderSide};
pub use ledger::{Account, Entry, Ledger, Movement};
pub use refund::{REFUND_TRIES, Refund, RefundStatus};
pub use schedule::Questions;
use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{OrderId, PaymentId, UserId},
    money::Money,
    user::Contact,
};

/// The status of a payment. It only advances; a failed payment may still succeed, because the same gateway order can
/// be paid again until the window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PaymentStatus {
    /// No money yet.
    Pending,
    /// Captured.
    Successful,
    /// The last attempt failed.
    Failed,
    /// Refunded in full.
    Refunded,
}

impl PaymentStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Successful => "SUCCESSFUL",
            Self::Failed => "FAILED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// A payment, as stored: one for each order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub id: PaymentId,
    /// For which order.
    pub order: OrderId,
    /// The buyer's contact.
    pub contact: Contact,
    /// The gateway's order.
    pub razorpay_order_id: String,
    /// The gateway's captured payment.
    pub payment_id: Option<String>,
    /// Its status.
    pub status: PaymentStatus,
    /// The order's total.
    pub price: Money,
    /// Oldest first.
    pub refunds: Vec<Refund>,
    /// Every movement of money.
    #[serde(default)]
    pub ledger: Ledger,
    /// Oldest first.
    #[serde(default)]
    pub disputes: Vec<Dispute>,
    /// Whether the order was notified of the captured money.
    pub settled: bool,
    /// Failed attempts of the pending work.
    pub attempts: u32,
    /// When it is due next; `None` when nothing is left to do.
    pub due_at: Option<Timestamp>,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

/// Why an operation on a payment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum PaymentError {
    /// Only captured money can be refunded.
    #[error("there is no captured money to refund")]
    NotCaptured,
    /// More than is left.
    #[error("only {left} is left to refund")]
    MoreThanLeft {
        /// What is left.
        left: Money,
    },
    /// Zero or negative.
    #[error("a refund is more than nothing")]
    NotPositive,
    /// Less than the gateway's smallest refund, now or for the rest.
    #[error("the gateway gives back {least} or more: refund so much and leave so much, or all of it")]
    TooLittle { least: Money },
    /// Another currency than the payment's.
    #[error("a refund is in the payment's currency")]
    CurrencyMismatch,
    /// The same idempotency key with another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
}

/// Whether a call changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// Nothing had to be changed.
    No,
}

/// The effect of captured money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// It was known already.
    Known,
    /// It pays the order.
    ForOrder,
    /// The order is paid already, or the amount differs from its price: it is refunded.
    NotForOrder,
}

/// A dispute of a buyer's bank about captured money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dispute {
    /// The gateway's id.
    pub id: String,
    /// Of which payment of the gateway.
    pub payment_id: String,
    pub amount: Money,
    /// The gateway's reason.
    pub reason: Option<String>,
    /// The deadline for a response.
    pub respond_by: Option<Timestamp>,
    /// When it was reported.
    pub at: Timestamp,
}

/// The reason for refunding money that was captured for a paid order.
const PAID_TWICE: &str = "the order was paid twice";
/// The reason for refunding a wrong amount.
const NOT_THE_PRICE: &str = "the amount is not the order's total";

impl Payment {
    /// A new payment of `order`.
    #[must_use]
    pub fn open(order: OrderId, contact: Contact, razorpay_order_id: String, price: Money, now: Timestamp) -> Self {
        Self {
            id: PaymentId::generate(),
            order,
            contact,
            razorpay_order_id,
            payment_id: None,
            status: PaymentStatus::Pending,
            price,
            refunds: vec![],
            ledger: Ledger::default(),
            disputes: vec![],
            settled: false,
            attempts: 0,
            due_at: None,
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }

    /// The buyer.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.contact.user
    }

    /// The gateway has captured `amount` as `payment_id`. Money beyond the first full price is not for the order, and
    /// its refund is decided here.
    pub fn capture(&mut self, payment_id: &str, amount: Money, now: Timestamp) -> Captured {
        if self.ledger.has_captured(payment_id) {
            return Captured::Known;
        }
        self.ledger.captured(payment_id, amount, now);
        if !self.has_money() && amount == self.price {
            self.payment_id = Some(payment_id.to_owned());
            self.status = PaymentStatus::Successful;
            self.settled = false;
            self.touch(now);
            return Captured::ForOrder;
        }
        let reason = if amount == self.price { PAID_TWICE } else { NOT_THE_PRICE };
        self.give_back(payment_id, amount, reason, now);
        Captured::NotForOrder
    }

    /// An attempt to pay failed. Captured money is not undone by a late report of a failure.
    pub const fn fail(&mut self, now: Timestamp) -> Changed {
        if !matches!(self.status, PaymentStatus::Pending) {
            return Changed::No;
        }
        self.status = PaymentStatus::Failed;
        self.touch(now);
        Changed::Yes
    }

    /// The payment is kept for the order.
    pub const fn settle(&mut self, now: Timestamp) {
        self.settled = true;
        self.touch(now);
    }

    /// Records a dispute of the buyer's bank.
    pub fn dispute(&mut self, dispute: Dispute, now: Timestamp) -> Changed {
        if self.disputes.iter().any(|known| known.id == dispute.id) {
            return Changed::No;
        }
        self.disputes.push(dispute);
        self.touch(now);
        Changed::Yes
    }

    /// Whether the money is captured.
    #[must_use]
    pub const fn has_money(&self) -> bool {
        matches!(self.status, PaymentStatus::Successful | PaymentStatus::Refunded)
    }

    /// Whether this payment of the gateway is captured and known here.
    #[must_use]
    pub fn knows_capture(&self, payment_id: &str) -> bool {
        self.ledger.has_captured(payment_id)
    }
}

#[cfg(test)]
mod tests;
