//! Payment gateways: the port, Razorpay, and the sandbox that replaces it.
//!
//! **Invariant:** only money that the gateway reports as captured counts.

mod gateway;
mod razorpay;
mod sandbox;
mod signature;

pub use gateway::{GatewayError, GatewayPayment, GatewayRefund, GatewayRefundStatus, GatewayStatus, PaymentGateway};
pub use razorpay::{RazorpayGateway, Timeouts};
pub use sandbox::{Checkout, MOST, Outcome, SandboxGateway};
pub use signature::Keys;
