//! Payment gateways: one suite over the sandbox and over Razorpay, the client's behaviour when the gateway fails, and
//! a shop that uses Razorpay. Razorpay is simulated by [`test_support::razorpay`].

mod client;
mod consistency;
mod failures;
mod gateways;
mod late;
mod market;
mod refunds;
mod refused;
mod reported;
mod shop;
mod suite;
mod tiny;
mod webhooks;
