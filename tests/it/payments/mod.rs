//! Payment gateways: one suite over the sandbox and over Razorpay, the client's behaviour when the gateway fails, and
//! a shop that uses Razorpay. Razorpay is simulated by `standin`.

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
mod standin;
mod suite;
mod tiny;
mod webhooks;

use std::time::Duration;

/// The deadline of a test's waits.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until a condition holds.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {DEADLINE:?}: {what}");
}
