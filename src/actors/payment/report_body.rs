//! The parts of the gateway's reports that matter here; it sends many more.
//!
//! An event's name says what the gateway wanted to tell; the entity says how the thing was. Both
//! have to say the same, or the report is not applied.

use serde::Deserialize;

use super::calls::PaymentRefusal;
use crate::domain::money::{Currency, Money};

/// A report: what happened, and to what.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// `payment.captured` and so on.
    pub event: String,
    #[serde(default)]
    pub payload: Payload,
}

/// Each thing is wrapped once more, as `{"entity": {...}}`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Payload {
    payment: Option<Wrapped<PaymentEntity>>,
    refund: Option<Wrapped<RefundEntity>>,
    dispute: Option<Wrapped<DisputeEntity>>,
    order: Option<Wrapped<OrderEntity>>,
}

#[derive(Debug, Deserialize)]
struct Wrapped<T> {
    entity: T,
}

/// What a report tells of.
pub(super) struct Entities {
    pub payment: Option<PaymentEntity>,
    pub refund: Option<RefundEntity>,
    pub dispute: Option<DisputeEntity>,
    pub order: Option<OrderEntity>,
}

impl Payload {
    pub(super) fn entities(self) -> Entities {
        Entities {
            payment: self.payment.map(|wrapped| wrapped.entity),
            refund: self.refund.map(|wrapped| wrapped.entity),
            dispute: self.dispute.map(|wrapped| wrapped.entity),
            order: self.order.map(|wrapped| wrapped.entity),
        }
    }
}

/// A payment at the gateway, as it was when the report was written.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentEntity {
    pub id: String,
    pub order_id: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    status: Option<String>,
    captured: Option<bool>,
    pub error_description: Option<String>,
}

impl PaymentEntity {
    /// Whether its own status is one that the event can tell of. One without a status
    /// contradicts nothing.
    pub(super) fn agrees_with(&self, event: &str) -> bool {
        let Some(status) = self.status.as_deref() else { return true };
        match event {
            // It may have been captured before the report was written.
            "payment.authorized" => matches!(status, "authorized" | "captured"),
            "payment.captured" | "order.paid" => {
                matches!(status, "captured" | "refunded") && self.captured != Some(false)
            }
            "payment.failed" => status == "failed" && self.captured != Some(true),
            _ => true,
        }
    }

    /// Whether it is of this amount, as far as it tells.
    pub(super) fn is_of(&self, amount: Money) -> bool {
        tells(self.amount, self.currency.as_deref(), amount)
    }

    /// Its order; money that came without one is not ours.
    pub(super) fn order(&self) -> Result<&str, PaymentRefusal> {
        self.order_id.as_deref().ok_or(PaymentRefusal::NotFound)
    }
}

/// A refund at the gateway.
#[derive(Debug, Deserialize)]
pub(super) struct RefundEntity {
    pub id: String,
    pub payment_id: String,
    amount: Option<i64>,
    currency: Option<String>,
    status: Option<String>,
}

impl RefundEntity {
    /// Whether its own status is one that the event can tell of. One without a status
    /// contradicts nothing.
    pub(super) fn agrees_with(&self, event: &str) -> bool {
        let Some(status) = self.status.as_deref() else { return true };
        match event {
            // An instant refund is processed when it is made.
            "refund.created" => matches!(status, "pending" | "processed"),
            "refund.processed" => status == "processed",
            "refund.failed" => status == "failed",
            _ => true,
        }
    }

    /// Whether it is of this amount, as far as it tells.
    pub(super) fn is_of(&self, amount: Money) -> bool {
        tells(self.amount, self.currency.as_deref(), amount)
    }
}

/// An order at the gateway, which comes along when it is paid.
#[derive(Debug, Deserialize)]
pub(super) struct OrderEntity {
    id: String,
    status: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
}

impl OrderEntity {
    /// Whether it is the order of `payment`, over `price` and paid, as far as it tells.
    pub(super) fn is_paid_by(&self, payment: &PaymentEntity, price: Money) -> bool {
        payment.order_id.as_ref() == Some(&self.id)
            && self.status.as_deref().is_none_or(|status| status == "paid")
            && tells(self.amount, self.currency.as_deref(), price)
    }
}

/// A buyer's bank wants money back.
#[derive(Debug, Deserialize)]
pub(super) struct DisputeEntity {
    pub id: String,
    pub payment_id: String,
    pub amount: Option<i64>,
    currency: Option<String>,
    status: Option<String>,
    reason_code: Option<String>,
    reason_description: Option<String>,
    /// Until when to answer, in seconds since 1970.
    pub respond_by: Option<i64>,
}

impl DisputeEntity {
    /// Whether it is open, as far as it tells; one that has ended needs nobody's answer.
    pub(super) fn is_open(&self) -> bool {
        self.status.as_deref().is_none_or(|status| matches!(status, "open" | "under_review" | "action_required"))
    }

    /// Whether it is in this currency, as far as it tells.
    pub(super) fn is_in(&self, currency: Currency) -> bool {
        self.currency.as_deref().is_none_or(|code| code == currency.code())
    }

    /// Why, in the gateway's words.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason_description.clone().or_else(|| self.reason_code.clone())
    }
}

/// Whether what is told does not differ from `amount`.
fn tells(minor: Option<i64>, currency: Option<&str>, amount: Money) -> bool {
    minor.is_none_or(|minor| minor == amount.minor())
        && currency.is_none_or(|code| code.is_empty() || code == amount.currency().code())
}
