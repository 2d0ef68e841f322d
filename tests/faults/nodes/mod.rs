//! The real program as several processes, one for each service or replicas, over a server with MongoDB's
//! protocol, RabbitMQ and Redis.

mod agreement;
mod fleet;
mod killed;
mod logout;
mod outage;
mod peers;
mod rush;
mod sales;
mod shopper;
mod start;

use microbazaar::bus::rabbit::wire;
use reqwest::Method;
use serde_json::json;
use test_support::{eventually, text};

use self::{
    fleet::{Fleet, SERVICES},
    shopper::Shopper,
};

/// The stock of the one product.
const STOCK: u32 = 10_000;

#[actix_rt::test]
async fn a_purchase_goes_through_every_process() {
    let Some(fleet) = Fleet::start().await else { return };
    let (seller, buyer) =
        (Shopper::join(&fleet, "seller", "seller").await, Shopper::join(&fleet, "buyer", "user").await);
    let product = seller.product(STOCK).await;
    let heard = fleet.broker.listen_to("order.created").await;
    let item = json!({"productId": product, "quantity": 2});
    let cart = buyer.post("/api/cart/items", &item).await;
    assert_eq!(cart.expect(200)["totals"]["totalQuantity"], 2, "{cart:?}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let placing = fleet.at("order").post("/api/orders").token(buyer.token()).header("traceparent", &traceparent);
    let placed = placing.json(&json!({})).send().await;
    assert!(placed.header("traceresponse").is_some_and(|output| output.contains(trace)), "its trace is returned");
    let order = text(&placed.expect(201)["order"]["_id"]);
    assert_eq!(buyer.stock(&product).await, (i64::from(STOCK), 2));
    assert!(buyer.pay(&order).await);
    assert_eq!(buyer.get(&format!("/api/orders/{order}")).await.json()["order"]["status"], "CONFIRMED");
    assert_eq!(buyer.stock(&product).await, (i64::from(STOCK) - 2, 0));
    eventually("the product shows what is left", async || {
        buyer.get(&format!("/api/products/{product}")).await.json()["stock"] == STOCK - 2
    })
    .await;
    eventually("it is found", async || {
        let found = buyer.get("/api/products?q=lamp").await.json();
        found.as_array().is_some_and(|found| found.iter().any(|one| one["_id"] == product.as_str()))
    })
    .await;
    eventually("the sale is counted", async || seller.sales().await == 2).await;
    eventually("the buyer has their mails", async || {
        buyer.mails("Welcome").await == 1 && buyer.mails("Payment received").await == 1
    })
    .await;
    eventually("the event has the request's trace", async || {
        let Some(message) = fleet.broker.take(&heard).await else { return false };
        let output = wire::trace(&message.delivery.properties);
        assert_eq!(output.map(microbazaar::trace::Trace::id), Some(trace.to_owned()));
        true
    })
    .await;
    only_its_own(&fleet, &buyer).await;
    fleet.end().await;
}

/// Each process serves only its own paths, and no internal ones.
async fn only_its_own(fleet: &Fleet, buyer: &Shopper) {
    let paths = [
        ("auth", "/api/auth/me"),
        ("product", "/api/products"),
        ("cart", "/api/cart"),
        ("order", "/api/orders/me"),
        ("seller-dashboard", "/api/seller/dashboard/metrics"),
        ("notification", "/dev/mailbox"),
    ];
    for service in SERVICES {
        for (owner, path) in paths {
            let answer = fleet.ask_at(service, Method::GET, path, buyer.token(), None).await;
            assert_eq!(answer.status == 404, owner != service, "{path} at {service}: {answer:?}");
        }
        let root = fleet.ask_at(service, Method::GET, "/", "", None).await;
        assert_eq!(root.json()["services"], json!([service]));
        let inner = format!("/internal/v1/{service}.Ping");
        let asked = fleet.ask_at(service, Method::POST, &inner, buyer.token(), Some(&json!({}))).await;
        assert_eq!(asked.status, 403, "{service}");
    }
}
