//! Payment gateways: one suite over the sandbox and over Razorpay, the client's behaviour
//! when the gateway fails, and a shop that is paid by Razorpay. Razorpay is `standin`.

mod believed;
mod client;
mod failures;
mod gateways;
mod late;
mod market;
mod posted;
mod refunds;
mod refused;
mod reported;
mod shop;
mod standin;
mod suite;
mod tiny;

use std::time::Duration;

/// How long a test waits for what is to happen.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `so` is.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {DEADLINE:?}: {what}");
}
