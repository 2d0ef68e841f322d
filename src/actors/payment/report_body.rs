//! The fields of the gateway's reports that are used here.
//!
//! The event's name and the entity's status must agree, or the report is not applied.

use serde::Deserialize;

use super::calls::PaymentRefusal;
use crate::domain::money::{Currency, Money};

/// A report: the event and its entities.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// `payment.captured` and so on.
    pub event: String,
    #[serde(default)]
    pub payload: Payload,
}

/// Each entity is wrapped as `{"entity": {...}}`.
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

/// The entities of a report.
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
    /// Whether its status agrees with the event. A missing status agrees with everything.
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

    /// Whether its amount is this one, if it has one.
    pub(super) fn is_of(&self, amount: Money) -> bool {
        tells(self.amount, self.currency.as_deref(), amount)
    }

    /// Its order; a payment without one does not belong to the shop.
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
    /// Whether its status agrees with the event. A missing status agrees with everything.
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

    /// Whether its amount is this one, if it has one.
    pub(super) fn is_of(&self, amount: Money) -> bool {
        tells(self.amount, self.currency.as_deref(), amount)
    }
}

/// An order at the gateway, which is included when it is paid.
#[derive(Debug, Deserialize)]
pub(super) struct OrderEntity {
    id: String,
    status: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
}

impl OrderEntity {
    /// Whether it is the paid order of `payment` over `price`, as far as its fields say.
    pub(super) fn is_paid_by(&self, payment: &PaymentEntity, price: Money) -> bool {
        payment.order_id.as_ref() == Some(&self.id)
            && self.status.as_deref().is_none_or(|status| status == "paid")
            && tells(self.amount, self.currency.as_deref(), price)
    }
}

/// A dispute by a buyer's bank.
#[derive(Debug, Deserialize)]
pub(super) struct DisputeEntity {
    pub id: String,
    pub payment_id: String,
    pub amount: Option<i64>,
    currency: Option<String>,
    status: Option<String>,
    reason_code: Option<String>,
    reason_description: Option<String>,
    /// The deadline for a response, in seconds since 1970.
    pub respond_by: Option<i64>,
}

impl DisputeEntity {
    /// Whether it is open, as far as its fields say; a closed one needs no response.
    pub(super) fn is_open(&self) -> bool {
        self.status.as_deref().is_none_or(|status| matches!(status, "open" | "under_review" | "action_required"))
    }

    /// Whether it is in this currency, if it has one.
    pub(super) fn is_in(&self, currency: Currency) -> bool {
        self.currency.as_deref().is_none_or(|code| code == currency.code())
    }

    /// The gateway's reason.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason_description.clone().or_else(|| self.reason_code.clone())
    }
}

/// Whether the given amount, if any, equals `amount`.
fn tells(minor: Option<i64>, currency: Option<&str>, amount: Money) -> bool {
    minor.is_none_or(|minor| minor == amount.minor())
        && currency.is_none_or(|code| code.is_empty() || code == amount.currency().code())
}
