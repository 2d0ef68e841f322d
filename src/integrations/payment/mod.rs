//! Payment gateways: the port, Razorpay, and the sandbox that stands in for it.
//!
//! **Invariant:** only money that the gateway calls captured is money.

mod gateway;
mod razorpay;
mod sandbox;
mod signature;

pub use gateway::{GatewayError, GatewayPayment, GatewayRefund, GatewayRefundStatus, GatewayStatus, PaymentGateway};
pub use razorpay::{Patience, RazorpayGateway};
pub use sandbox::{Checkout, MOST, Outcome, SandboxGateway};
pub use signature::Keys;
