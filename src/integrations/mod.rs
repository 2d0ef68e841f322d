//! Programs and providers outside, each behind a trait with its embedded stand-in.

pub mod razorpay;
