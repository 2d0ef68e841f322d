//! A logout at the process that serves auth is effective at every other, with and without Redis.

use reqwest::Method;
use serde_json::json;

use test_support::eventually;

use super::{
    fleet::{Fleet, Shape},
    shopper::Shopper,
};

/// Paths that need a token, one for each service, and the status for a seller.
const PATHS: [(&str, u16); 8] = [
    ("/api/auth/me", 200),
    ("/api/products/seller", 200),
    // Only for buyers.
    ("/api/cart", 403),
    ("/api/orders/me", 403),
    ("/api/payments/order/665f1f77bcf86cd799439016", 404),
    ("/api/seller/dashboard/metrics", 200),
    ("/api/webhooks", 200),
    // Only for other processes.
    ("/api/inventory/release", 403),
];

#[actix_rt::test]
async fn a_logout_is_effective_at_every_process_with_and_without_redis() {
    let Some((fleet, proxies)) = Fleet::start_with_proxies(Shape::Split).await else { return };
    for (away, name) in [(false, "first"), (true, "second")] {
        let who = Shopper::join(&fleet, name, "seller").await;
        if away {
            proxies.redis.cut();
            for service in fleet.shape.names() {
                eventually(&format!("{service} reports Redis as unavailable"), async || {
                    fleet.readyz(service).await.1.contains(&"redis".to_owned())
                })
                .await;
            }
        }
        let ask = async |path: &str| {
            let (method, body) = match path {
                "/api/inventory/release" => (Method::POST, Some(json!({"orderId": "665f1f77bcf86cd799439016"}))),
                _ => (Method::GET, None),
            };
            fleet.ask(method, path, who.token(), body.as_ref()).await
        };
        for (path, good) in PATHS {
            let answer = ask(path).await;
            assert_eq!(answer.status, good, "{path} before, Redis away: {away}: {answer:?}");
        }
        assert_eq!(who.post("/api/auth/logout", &json!({})).await.status, 200);
        // Immediately, not after a delay.
        for (path, _) in PATHS {
            let answer = ask(path).await;
            assert_eq!(answer.status, 401, "{path} after, Redis away: {away}: {answer:?}");
        }
    }
    fleet.end().await;
}
