//! Payment gateways: Razorpay's way of taking money, and the sandbox that stands in for it.
//!
//! **Invariant:** only money that the gateway calls captured is money.

mod call;
mod client;
mod gateway;
mod sandbox;
mod signature;
mod wire;

pub use call::Patience;
pub use client::RazorpayGateway;
pub use gateway::{GatewayError, GatewayPayment, GatewayRefund, GatewayRefundStatus, GatewayStatus, PaymentGateway};
pub use sandbox::{Checkout, MOST, Outcome, SandboxGateway};
pub use signature::Keys;
