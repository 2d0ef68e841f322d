//! The calls of the payment service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        ids::{OrderId, PaymentId, RefundId, UserId},
        money::Money,
        payment::{Payment, PaymentError},
    },
    integrations::payment::GatewayError,
    runtime::calls::{Call, CallError, Never, Refusal, WITHIN_NESTED},
};

/// Why a call on a payment was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum PaymentRefusal {
    /// There is no such payment.
    #[error("there is no such payment")]
    NotFound,
    /// There is no such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// It belongs to another user.
    #[error("this payment is not yours")]
    NotYours,
    /// The order does not await payment.
    #[error("this order cannot be paid now")]
    NotPayable,
    /// The signature is invalid.
    #[error("Invalid signature")]
    BadSignature,
    /// The report's body is invalid.
    #[error("the webhook's body is not readable")]
    Unreadable,
    /// A domain rule refused.
    #[error("{0}")]
    Rule(PaymentError),
    /// The gateway failed.
    #[error("{0}")]
    Gateway(GatewayError),
}

impl Refusal for PaymentRefusal {}

impl From<PaymentError> for CallError<PaymentRefusal> {
    fn from(error: PaymentError) -> Self {
        Self::Refused(PaymentRefusal::Rule(error))
    }
}

impl From<GatewayError> for CallError<PaymentRefusal> {
    fn from(error: GatewayError) -> Self {
        Self::Refused(PaymentRefusal::Gateway(error))
    }
}

/// Opens a payment of the user's order, or returns the open one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenPayment {
    pub order: OrderId,
    pub user: UserId,
}

/// A payment, with the other data for a checkout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenedPayment {
    pub payment: Payment,
    /// Whether this call opened it.
    pub is_new: bool,
    /// The gateway's public key id.
    pub key_id: String,
}

impl Call for OpenPayment {
    type Reply = OpenedPayment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Verifies the result of a checkout; the ids are the gateway's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyPayment {
    pub user: UserId,
    pub order_id: String,
    pub payment_id: String,
    pub signature: String,
}

impl Call for VerifyPayment {
    type Reply = Payment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Accepts a report of the gateway, once for each event: the raw body, its signature and its event id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TakeGatewayReport {
    pub body: Vec<u8>,
    pub signature: String,
    pub event_id: Option<String>,
}

impl Call for TakeGatewayReport {
    type Reply = ();
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Records that an attempt to pay failed; the id is the gateway's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailPayment {
    pub order_id: String,
    pub reason: String,
}

impl Call for FailPayment {
    type Reply = Payment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
}

/// Refunds money for an admin. Without a key, repeating it would refund more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundPayment {
    pub payment: PaymentId,
    /// Everything that is left when absent.
    pub amount: Option<Money>,
    pub reason: Option<String>,
    /// The client's idempotency key and a hash of the request.
    pub key: Option<(String, String)>,
}

/// A payment with a refund of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundedPayment {
    pub payment: Payment,
    pub refund: RefundId,
}

impl Call for RefundPayment {
    type Reply = RefundedPayment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Refunds all remaining captured money, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundAllOfPayment {
    pub payment: PaymentId,
    pub reason: String,
}

impl Call for RefundAllOfPayment {
    type Reply = Payment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads a payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPayment {
    pub payment: PaymentId,
}

impl Call for GetPayment {
    type Reply = Payment;
    type Error = PaymentRefusal;
    const SERVICE: Service = Service::Payment;
}

/// Reads the payment of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    pub order: OrderId,
}

impl Call for GetPaymentOfOrder {
    type Reply = Option<Payment>;
    type Error = Never;
    const SERVICE: Service = Service::Payment;
}

/// Reads the payment of an order at the gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPaymentOfGatewayOrder {
    pub order_id: String,
}

impl Call for GetPaymentOfGatewayOrder {
    type Reply = Option<Payment>;
    type Error = Never;
    const SERVICE: Service = Service::Payment;
}

/// Reads the payment of an order, if its money is captured and not refunded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCapturedPayment {
    pub order: OrderId,
}

impl Call for GetCapturedPayment {
    type Reply = Option<Payment>;
    type Error = Never;
    const SERVICE: Service = Service::Payment;
}
