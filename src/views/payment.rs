//! A payment and its refunds as clients see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{money::MoneyView, words};
use crate::domain::{
    Timestamp,
    ids::{OrderId, PaymentId, RefundId, UserId},
    payment::{Payment, PaymentStatus, Refund, RefundStatus},
};

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439018")]
    pub id: RefundId,
    /// How much.
    pub amount: MoneyView,
    /// Why.
    #[serde(default)]
    #[schema(example = "damaged")]
    pub reason: Option<String>,
    /// The gateway's payment that is refunded: differs from the payment's own when an order was paid twice.
    #[serde(default)]
    #[schema(example = "pay_29QQoUBi66xm2f")]
    pub payment_id: String,
    /// `pending`, `processed`, or `failed` when it failed and another refund replaced it.
    #[schema(schema_with = words::refund_status)]
    pub status: RefundStatus,
    /// The gateway's id, once the gateway has accepted it.
    #[serde(default)]
    #[schema(example = "rfnd_FP8QHiV938haTz")]
    pub refund_id: Option<String>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
}

impl From<&Refund> for RefundView {
    fn from(refund: &Refund) -> Self {
        Self {
            id: refund.id,
            amount: refund.amount.into(),
            reason: refund.reason.clone(),
            payment_id: refund.payment_id.clone(),
            status: refund.status,
            refund_id: refund.gateway_id.clone(),
            created_at: refund.created_at,
        }
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439017")]
    pub id: PaymentId,
    /// The order.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    pub order: OrderId,
    /// The buyer.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub user: UserId,
    /// The gateway's order.
    #[schema(example = "order_IluGWxBm9U8zJ8")]
    pub razorpay_order_id: String,
    /// The gateway's captured payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "pay_29QQoUBi66xm2f")]
    pub payment_id: Option<String>,
    /// `PENDING`, `SUCCESSFUL`, `FAILED` or `REFUNDED`.
    #[schema(schema_with = words::payment_status)]
    pub status: PaymentStatus,
    /// The order's total.
    pub price: MoneyView,
    /// The refunds, oldest first.
    #[serde(default)]
    #[schema(required = true)]
    pub refunds: Vec<RefundView>,
    /// When the payment was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
}

impl From<&Payment> for PaymentView {
    fn from(payment: &Payment) -> Self {
        Self {
            id: payment.id,
            order: payment.order,
            user: payment.user(),
            razorpay_order_id: payment.razorpay_order_id.clone(),
            payment_id: payment.payment_id.clone(),
            status: payment.status,
            price: payment.price.into(),
            refunds: payment.refunds.iter().map(RefundView::from).collect(),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

/// `{payment}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentAnswer {
    /// The payment.
    pub payment: PaymentView,
}

/// `{message, payment}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifiedAnswer {
    /// What was done.
    #[schema(example = "Payment verified")]
    pub message: String,
    /// The payment.
    pub payment: PaymentView,
}

/// `{payment, refund}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundAnswer {
    /// The payment.
    pub payment: PaymentView,
    /// The refund that was decided.
    pub refund: RefundView,
}

/// What a page needs to open the gateway's checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutView {
    /// The gateway's order.
    #[schema(example = "order_IluGWxBm9U8zJ8")]
    pub razorpay_order_id: String,
    /// The shop's public key at the gateway.
    #[schema(example = "rzp_test_key")]
    pub key_id: String,
    /// The amount in minor units, as the gateway expects it.
    #[schema(example = 54_945)]
    pub amount: i64,
    /// `INR` or `USD`.
    #[schema(example = "INR")]
    pub currency: String,
    /// The payment.
    pub payment: PaymentView,
}

impl CheckoutView {
    #[must_use]
    pub fn new(payment: &Payment, key_id: &str) -> Self {
        Self {
            razorpay_order_id: payment.razorpay_order_id.clone(),
            key_id: key_id.to_owned(),
            amount: payment.price.minor(),
            currency: payment.price.currency().code().to_owned(),
            payment: PaymentView::from(payment),
        }
    }
}

/// The three fields that the gateway's checkout returns to the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckoutResultView {
    /// The gateway's order.
    #[schema(example = "order_IluGWxBm9U8zJ8")]
    pub razorpay_order_id: String,
    /// The gateway's payment.
    #[schema(example = "pay_29QQoUBi66xm2f")]
    pub razorpay_payment_id: String,
    /// HMAC-SHA256 over `order_id|payment_id`, in hex.
    #[schema(example = "9ef4dffbfd84f1318f6739a3ce19f9d85851857ae648f114332d8401e0949a3d")]
    pub razorpay_signature: String,
}
