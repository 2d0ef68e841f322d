//! The port for payment gateways.
//!
//! **Invariant:** every call is idempotent: opening an order for the same receipt, capturing a payment, and a refund
//! with the same key take effect once.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Keys;
use crate::domain::{
    ids::{OrderId, RefundId},
    money::Money,
};

/// Why a call to the gateway failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum GatewayError {
    /// The gateway did not answer, or not sensibly; retrying is harmless.
    #[error("the payment gateway is not available: {0}")]
    Unavailable(String),
    /// The gateway refused permanently.
    #[error("the payment gateway refused: {0}")]
    Refused(String),
    /// The gateway does not know that order or payment.
    #[error("the payment gateway does not know it")]
    Unknown,
}

/// The status of a payment at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayStatus {
    /// Created; nothing is authorised yet.
    Created,
    /// Authorised; the money must still be captured.
    Authorized,
    /// Captured, even if refunded since.
    Captured,
    /// No money.
    Failed,
}

/// A payment at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GatewayPayment {
    /// The gateway's id.
    pub id: String,
    /// Its status.
    pub status: GatewayStatus,
    pub amount: Money,
    /// The refunded amount in minor units, including refunds made elsewhere.
    #[serde(default)]
    pub refunded: i64,
}

/// The status of a refund at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayRefundStatus {
    /// Accepted; the bank is processing it.
    Pending,
    /// The buyer has it.
    Processed,
    /// Failed: the money came back and is still owed to the buyer.
    Failed,
}

/// A refund at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GatewayRefund {
    /// The gateway's id.
    pub id: String,
    /// The id of this program's refund; `None` for one that was made elsewhere, for example on the gateway's own
    /// pages.
    pub key: Option<RefundId>,
    pub amount: Money,
    /// Its status.
    pub status: GatewayRefundStatus,
}

/// Takes payments and refunds them.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// The public key id that a checkout page needs.
    fn key_id(&self) -> &str;

    /// The secrets with which the gateway signs.
    fn keys(&self) -> &Keys;

    /// Whether an order may be paid twice at the gateway, so that paid orders have to be checked too.
    fn may_be_paid_twice(&self) -> bool;

    /// The smallest refund in minor units.
    fn least_refund(&self) -> i64 {
        1
    }

    /// Opens an order of `amount` at the gateway; returns the gateway's id of it.
    ///
    /// # Errors
    /// `Refused` for an amount or a currency that it never accepts; `Unavailable`, also when it refuses for another
    /// reason, which the operator has to fix.
    async fn create_order(&self, receipt: OrderId, amount: Money) -> Result<String, GatewayError>;

    /// The payments made for a gateway order.
    ///
    /// # Errors
    /// `Unknown`; `Unavailable`.
    async fn payments_of(&self, gateway_order: &str) -> Result<Vec<GatewayPayment>, GatewayError>;

    /// The payment `payment_id`, whose signature for `gateway_order` was valid.
    ///
    /// # Errors
    /// `Unknown`, also when it is another order's; `Unavailable`.
    async fn signed_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError>;

    /// The payment `payment_id` of `gateway_order` that a report mentioned. A report is no proof: a payment that the
    /// gateway does not have is unknown.
    ///
    /// # Errors
    /// `Unknown`, also when it is another order's; `Unavailable`.
    async fn reported_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError> {
        self.signed_payment(gateway_order, payment_id).await
    }

    /// Captures an authorised payment. A captured one stays so.
    ///
    /// # Errors
    /// `Refused` when it cannot be captured any more; `Unknown`; `Unavailable`.
    async fn capture(&self, payment_id: &str, amount: Money) -> Result<GatewayPayment, GatewayError>;

    /// Refunds `amount` of a captured payment. Repeating it with the same `key` refunds nothing more and returns the
    /// same refund.
    ///
    /// # Errors
    /// `Refused` when less than that is left; `Unknown`; `Unavailable`.
    async fn refund(&self, payment_id: &str, amount: Money, key: RefundId) -> Result<GatewayRefund, GatewayError>;

    /// All refunds of a payment, including those made elsewhere.
    ///
    /// # Errors
    /// `Unknown`; `Unavailable`.
    async fn refunds_of(&self, payment_id: &str) -> Result<Vec<GatewayRefund>, GatewayError>;
}
