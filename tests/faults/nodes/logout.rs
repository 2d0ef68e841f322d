//! A logout at the process that serves auth is effective at every other, with and without Redis.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    drop_people,
    fleet::{Fleet, Shape, until},
    shopper::Person,
};

/// Paths that need a token, one for each service, and the status for a seller.
const PATHS: [(&str, StatusCode); 8] = [
    ("/api/auth/me", StatusCode::OK),
    ("/api/products/seller", StatusCode::OK),
    // Only for buyers.
    ("/api/cart", StatusCode::FORBIDDEN),
    ("/api/orders/me", StatusCode::FORBIDDEN),
    ("/api/payments/order/665f1f77bcf86cd799439016", StatusCode::NOT_FOUND),
    ("/api/seller/dashboard/metrics", StatusCode::OK),
    ("/api/webhooks", StatusCode::OK),
    // Only for other processes.
    ("/api/inventory/release", StatusCode::FORBIDDEN),
];

#[actix_rt::test]
async fn a_logout_is_effective_at_every_process_with_and_without_redis() {
    let Some((fleet, proxies)) = Fleet::start_with_proxies(Shape::Split).await else { return };
    let fleet = Arc::new(fleet);
    for (away, name) in [(false, "first"), (true, "second")] {
        let who = Person::join(&fleet, name, "seller").await;
        if away {
            proxies.redis.cut();
            for service in fleet.shape.names() {
                until(&format!("{service} reports Redis as unavailable"), async || {
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
            fleet.ask(method, path, &who.token, body.as_ref()).await.expect("an answer")
        };
        for (path, good) in PATHS {
            let answer = ask(path).await;
            assert_eq!(answer.status, good, "{path} before, Redis away: {away}: {answer:?}");
        }
        assert_eq!(who.post("/api/auth/logout", &json!({})).await.status, StatusCode::OK);
        // Immediately, not after a delay.
        for (path, _) in PATHS {
            let answer = ask(path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} after, Redis away: {away}: {answer:?}");
        }
        drop(who);
    }
    Arc::into_inner(drop_people(fleet, [])).unwrap().end().await;
}
