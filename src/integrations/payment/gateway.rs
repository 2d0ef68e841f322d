//! What a payment gateway is to the rest of the program.
//!
//! **Invariant:** a call may be repeated: an order asked for again for the same receipt, a
//! capture asked again and a refund asked again with its key are done once.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Keys;
use crate::domain::{
    ids::{OrderId, RefundId},
    money::Money,
};

/// Why a gateway did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum GatewayError {
    /// It did not answer, or not sensibly; asking again is harmless.
    #[error("the payment gateway is not available: {0}")]
    Unavailable(String),
    /// It said no for good.
    #[error("the payment gateway refused: {0}")]
    Refused(String),
    /// It does not know that order or payment.
    #[error("the payment gateway does not know it")]
    Unknown,
}

/// Where a payment stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayStatus {
    /// Begun, nothing promised yet.
    Created,
    /// Promised, not ours before it is captured.
    Authorized,
    /// Money, ours; also when it was given back since.
    Captured,
    /// No money.
    Failed,
}

/// A payment as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GatewayPayment {
    /// The gateway's id.
    pub id: String,
    /// Where it stands.
    pub status: GatewayStatus,
    /// How much.
    pub amount: Money,
    /// How much of it was given back, in minor units, whoever asked for it.
    #[serde(default)]
    pub refunded: i64,
}

/// Where a refund stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayRefundStatus {
    /// Taken; the bank has it, or will.
    Pending,
    /// The buyer has it.
    Processed,
    /// It came back: the money is ours again, and still owed.
    Failed,
}

/// A refund as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GatewayRefund {
    /// The gateway's id.
    pub id: String,
    /// Which refund of ours; `None` for one that was made elsewhere, at the gateway's own
    /// pages for instance.
    pub key: Option<RefundId>,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: GatewayRefundStatus,
}

/// Takes and gives money.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// The public key id that a checkout page needs.
    fn key_id(&self) -> &str;

    /// The secrets by which the gateway signs.
    fn keys(&self) -> &Keys;

    /// Whether one order may be paid twice there, so that it is worth asking about orders
    /// that are paid already.
    fn may_be_paid_twice(&self) -> bool;

    /// The least that can be given back, in minor units.
    fn least_refund(&self) -> i64 {
        1
    }

    /// Opens an order of `amount` at the gateway; returns the gateway's id of it.
    ///
    /// # Errors
    /// `Refused` for an amount or a currency that it never takes; `Unavailable`, also when it
    /// refuses for another reason, which is for the operator to mend.
    async fn create_order(&self, receipt: OrderId, amount: Money) -> Result<String, GatewayError>;

    /// The payments made for a gateway order.
    ///
    /// # Errors
    /// `Unknown`; `Unavailable`.
    async fn payments_of(&self, gateway_order: &str) -> Result<Vec<GatewayPayment>, GatewayError>;

    /// What is known of `payment_id`, whose signature for `gateway_order` was good.
    ///
    /// # Errors
    /// `Unknown`, also when it is another order's; `Unavailable`.
    async fn signed_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError>;

    /// What is known of `payment_id` of `gateway_order`, which a report told of. A report is no
    /// proof: what the gateway has no record of is unknown.
    ///
    /// # Errors
    /// `Unknown`, also when it is another order's; `Unavailable`.
    async fn reported_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError> {
        self.signed_payment(gateway_order, payment_id).await
    }

    /// Takes the money of an authorised payment. One that is captured already stays so.
    ///
    /// # Errors
    /// `Refused` when it cannot be captured any more; `Unknown`; `Unavailable`.
    async fn capture(&self, payment_id: &str, amount: Money) -> Result<GatewayPayment, GatewayError>;

    /// Gives `amount` of a captured payment back. The same `key` again gives nothing
    /// twice, and the same refund.
    ///
    /// # Errors
    /// `Refused` when there is not as much left; `Unknown`; `Unavailable`.
    async fn refund(&self, payment_id: &str, amount: Money, key: RefundId) -> Result<GatewayRefund, GatewayError>;

    /// All refunds of a payment, whoever asked for them.
    ///
    /// # Errors
    /// `Unknown`; `Unavailable`.
    async fn refunds_of(&self, payment_id: &str) -> Result<Vec<GatewayRefund>, GatewayError>;
}
