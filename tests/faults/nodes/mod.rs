//! The real program as several processes, one for each service or replicas, over a server with MongoDB's protocol,
//! RabbitMQ and Redis, which `scripts/test` starts and names in `TEST_MONGO_URI`, `TEST_RABBIT_URL` and
//! `TEST_REDIS_URL`. Without them the tests print a note and are skipped.

mod agreement;
mod fleet;
mod killed;
mod logout;
mod node;
mod outage;
mod peers;
mod proxies;
#[path = "../../it/broker/proxy.rs"]
#[expect(dead_code, reason = "the broker's tests use the rest")]
mod proxy;
mod rush;
mod sales;
mod shopper;
mod start;

use std::sync::Arc;

use fleet::{Fleet, SERVICES, until};
use lapin::{
    options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use microbazaar::domain::queues::EXCHANGE;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shopper::Person;

/// The stock of the one product.
const STOCK: u32 = 10_000;

#[actix_rt::test]
async fn a_purchase_goes_through_every_process() {
    let Some(fleet) = Fleet::start().await.map(Arc::new) else { return };
    let (seller, buyer) = (Person::join(&fleet, "seller", "seller").await, Person::join(&fleet, "buyer", "user").await);
    let product = seller.product(STOCK).await;
    let heard = listen(&fleet, "order.created").await;
    let item = json!({"productId": product, "quantity": 2});
    let cart = buyer.post("/api/cart/items", &item).await;
    assert_eq!((cart.status, &cart.body["totals"]["totalQuantity"]), (StatusCode::OK, &json!(2)), "{cart:?}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let header = [("traceparent", traceparent.as_str())];
    let placed = fleet.ask_at("order", Method::POST, "/api/orders", &buyer.token, Some(&json!({})), &header).await;
    let placed = placed.unwrap();
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert!(placed.traceresponse.is_some_and(|output| output.contains(trace)), "its trace is returned");
    let order = shopper::text(&placed.body["order"]["_id"]);
    assert_eq!(buyer.stock(&product).await, (u64::from(STOCK), 2));
    assert!(buyer.pay(&order).await);
    assert_eq!(buyer.get(&format!("/api/orders/{order}")).await.body["order"]["status"], "CONFIRMED");
    assert_eq!(buyer.stock(&product).await, (u64::from(STOCK) - 2, 0));
    until("the product shows what is left", async || {
        buyer.get(&format!("/api/products/{product}")).await.body["stock"] == STOCK - 2
    })
    .await;
    until("it is found", async || {
        let found = buyer.get("/api/products?q=lamp").await.body;
        found.as_array().is_some_and(|found| found.iter().any(|one| one["_id"] == product.as_str()))
    })
    .await;
    until("the sale is counted", async || seller.sales().await == 2).await;
    until("the buyer has the mails", async || {
        buyer.mails(&buyer.email, "Welcome").await == 1 && buyer.mails(&buyer.email, "Payment received").await == 1
    })
    .await;
    until("the event has the request's trace", async || {
        let message = fleet.channel.basic_get(heard.as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap();
        let Some(message) = message else { return false };
        let output = microbazaar::bus::rabbit::wire::trace(&message.delivery.properties);
        assert_eq!(output.map(microbazaar::trace::Trace::id), Some(trace.to_owned()));
        true
    })
    .await;
    only_its_own(&fleet, &buyer).await;
    Arc::into_inner(drop_people(fleet, [seller, buyer])).unwrap().end().await;
}

/// Each process serves only its own paths, and no internal ones.
async fn only_its_own(fleet: &Fleet, buyer: &Person) {
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
            let answer = fleet.ask_at(service, Method::GET, path, &buyer.token, None, &[]).await.unwrap();
            assert_eq!(answer.status == StatusCode::NOT_FOUND, owner != service, "{path} at {service}: {answer:?}");
        }
        let root = fleet.ask_at(service, Method::GET, "/", "", None, &[]).await.unwrap();
        assert_eq!(root.body["services"], json!([service]));
        let inner = format!("/internal/v1/{service}.Ping");
        let asked = fleet.ask_at(service, Method::POST, &inner, &buyer.token, Some(&json!({})), &[]).await.unwrap();
        assert_eq!(asked.status, StatusCode::FORBIDDEN, "{service}");
    }
}

/// Ends a fleet by its last reference.
fn drop_people<const N: usize>(fleet: Arc<Fleet>, people: [Person; N]) -> Arc<Fleet> {
    drop(people);
    fleet
}

/// A queue that gets the events of one key.
async fn listen(fleet: &Fleet, key: &str) -> String {
    let channel = &fleet.channel;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let kind = lapin::ExchangeKind::Topic;
    channel.exchange_declare(EXCHANGE.into(), kind, options, FieldTable::default()).await.unwrap();
    let name = format!("test.{}", fleet.settings.prefix);
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.unwrap();
    let (exchange, options) = (EXCHANGE.into(), QueueBindOptions::default());
    channel.queue_bind(name.as_str().into(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
    name
}
