//! Payment gateways: Razorpay's way of taking money, and the sandbox that stands in for it.
//!
//! **Invariant:** only money that the gateway calls captured is money.

mod sandbox;
mod signature;

use async_trait::async_trait;

pub use sandbox::{Checkout, Outcome, SandboxGateway};
pub use signature::Keys;

use crate::domain::{
    ids::{OrderId, RefundId},
    money::Money,
};

/// Why a gateway did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// Money, ours.
    Captured,
    /// Promised, not ours yet.
    Authorized,
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
}

/// Takes and gives money.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// The public key id that a checkout page needs.
    fn key_id(&self) -> &str;

    /// The secrets by which the gateway signs.
    fn keys(&self) -> &Keys;

    /// Opens an order of `amount` at the gateway; returns the gateway's id of it.
    async fn create_order(&self, receipt: OrderId, amount: Money) -> Result<String, GatewayError>;

    /// The payments made for a gateway order.
    async fn payments_of(&self, gateway_order: &str) -> Result<Vec<GatewayPayment>, GatewayError>;

    /// What is known of `payment_id`, whose signature for `gateway_order` was good.
    async fn signed_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError>;

    /// Gives `amount` of a captured payment back. The same `key` again gives nothing
    /// twice, and the same id. Returns the gateway's id of the refund.
    async fn refund(&self, payment_id: &str, amount: Money, key: RefundId) -> Result<String, GatewayError>;
}
