//! The parts of the gateway's reports that matter here; it sends many more.

use serde::Deserialize;

use super::PaymentFailure;
use crate::domain::{
    ids::RefundId,
    money::{Currency, Money},
};

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
}

impl Payload {
    pub(super) fn entities(self) -> Entities {
        Entities {
            payment: self.payment.map(|wrapped| wrapped.entity),
            refund: self.refund.map(|wrapped| wrapped.entity),
            dispute: self.dispute.map(|wrapped| wrapped.entity),
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
    pub error_description: Option<String>,
}

impl PaymentEntity {
    /// Its order; money that came without one is not ours.
    pub(super) fn order(&self) -> Result<&str, PaymentFailure> {
        self.order_id.as_deref().ok_or(PaymentFailure::NotFound)
    }

    /// How much; `None` in a currency that no order here has.
    pub(super) fn amount_or(&self, price: Money) -> Option<Money> {
        amount(self.amount.unwrap_or(price.minor()), self.currency.as_deref(), price.currency())
    }
}

/// A refund at the gateway.
#[derive(Debug, Deserialize)]
pub(super) struct RefundEntity {
    pub id: String,
    pub payment_id: String,
    amount: i64,
    currency: Option<String>,
    receipt: Option<String>,
}

impl RefundEntity {
    /// Which refund of ours it is: we give our id as its receipt.
    pub(super) fn key(&self) -> Option<RefundId> {
        self.receipt.as_deref().and_then(|receipt| receipt.parse().ok())
    }

    /// How much; `None` in a currency that no order here has.
    pub(super) fn amount(&self, default: Currency) -> Option<Money> {
        amount(self.amount, self.currency.as_deref(), default)
    }
}

/// A buyer's bank wants money back.
#[derive(Debug, Deserialize)]
pub(super) struct DisputeEntity {
    pub id: String,
    pub payment_id: String,
    pub amount: Option<i64>,
    reason_code: Option<String>,
    reason_description: Option<String>,
    /// Until when to answer, in seconds since 1970.
    pub respond_by: Option<i64>,
}

impl DisputeEntity {
    /// Why, in the gateway's words.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason_description.clone().or_else(|| self.reason_code.clone())
    }
}

fn amount(minor: i64, currency: Option<&str>, default: Currency) -> Option<Money> {
    let currency = match currency.filter(|code| !code.is_empty()) {
        Some(code) => Currency::from_code(code)?,
        None => default,
    };
    (minor > 0).then(|| Money::new(minor, currency))
}
