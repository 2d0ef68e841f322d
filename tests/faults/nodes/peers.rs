//! Each service is stopped and started again, and one is frozen.

use reqwest::Method;
use serde_json::json;

use test_support::eventually;

use super::{STOCK, agreement::until_all_agrees, fleet::Fleet, sales::Sales, shopper::Shopper};

/// The services that call each service.
const CALLERS: [(&str, &[&str]); 8] = [
    ("inventory", &["product", "order", "seller-dashboard"]),
    ("product", &["cart", "order"]),
    ("cart", &["order"]),
    ("auth", &["product", "order", "payment", "notification"]),
    ("payment", &["order"]),
    ("order", &["payment"]),
    ("notification", &[]),
    ("seller-dashboard", &[]),
];

#[actix_rt::test]
async fn each_peer_is_stopped_and_started_during_sales() {
    let Some(fleet) = Fleet::start().await else { return };
    let seller = Shopper::join(&fleet, "seller", "seller").await;
    let product = seller.product(STOCK).await;
    let sales = Sales::start(&fleet, std::slice::from_ref(&product), 3).await;
    let witness = Shopper::join(&fleet, "witness", "user").await;
    for (service, callers) in CALLERS {
        fleet.kill(service);
        for caller in callers {
            eventually(&format!("{caller} says that {service} is away"), async || {
                let (state, away) = fleet.readyz(caller).await;
                state == "degraded" && away.contains(&format!("peers.{service}"))
            })
            .await;
        }
        without(&fleet, service, &witness, &seller, &product).await;
        fleet.restart(service);
        fleet.until_all_ready().await;
    }
    let people = sales.end().await;
    until_all_agrees(&fleet, &seller, &[(product, STOCK)], &people).await;
    fleet.end().await;
}

#[actix_rt::test]
async fn a_frozen_peer_blocks_no_request() {
    let Some(fleet) = Fleet::start().await else { return };
    let seller = Shopper::join(&fleet, "seller", "seller").await;
    seller.product(STOCK).await;
    fleet.freeze("inventory", true);
    let offer = json!({"title": "A chair", "priceAmount": 5, "stock": 1});
    // Also before the failure is detected: each answer comes within the client's deadline.
    eventually("product says that it is away", async || {
        let answer = fleet.ask(Method::POST, "/api/products", seller.token(), Some(&offer)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        fleet.readyz("product").await == ("degraded".to_owned(), vec!["peers.inventory".to_owned()])
    })
    .await;
    let shown = fleet.ask(Method::GET, "/api/auth/me", seller.token(), None).await;
    assert_eq!(shown.status, 200, "what needs no stock goes on: {shown:?}");
    fleet.freeze("inventory", false);
    fleet.until_ready("product").await;
    seller.product(1).await;
    fleet.end().await;
}

/// Requests that need an unavailable service get 503 with `Retry-After`; other requests succeed.
async fn without(fleet: &Fleet, service: &str, buyer: &Shopper, seller: &Shopper, product: &str) {
    let item = json!({"productId": product, "quantity": 1});
    let offer = json!({"title": "A chair", "priceAmount": 5, "stock": 1});
    let nothing = json!({});
    let refused: &[(&Shopper, Method, &str, Option<&serde_json::Value>)] = match service {
        "inventory" | "auth" => &[(seller, Method::POST, "/api/products", Some(&offer))],
        "product" => &[(buyer, Method::POST, "/api/cart/items", Some(&item))],
        "cart" => &[(buyer, Method::POST, "/api/orders", Some(&nothing))],
        "order" => &[(buyer, Method::POST, "/api/payments/create/665f1f77bcf86cd799439016", Some(&nothing))],
        _ => &[],
    };
    for (who, method, path, body) in refused {
        let answer = fleet.ask(method.clone(), path, who.token(), *body).await;
        assert_eq!(answer.status, 503, "{path} without {service}: {answer:?}");
        assert!(answer.header("retry-after").is_some(), "{path} without {service}");
    }
    if service != "order" {
        let orders = fleet.ask(Method::GET, "/api/orders/me", buyer.token(), None).await;
        assert_eq!(orders.status, 200, "orders are shown without {service}");
    }
}
