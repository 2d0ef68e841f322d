//! One process a service, over a MongoDB-compatible server and RabbitMQ, which `scripts/test`
//! starts and names in `TEST_MONGO_URI` and `TEST_RABBIT_URL`. Without them there is nothing
//! to test against, and they say so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "a failed step of a test is a failed test"
)]

mod agreement;
mod fleet;
mod node;
mod shopper;
mod start;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fleet::{Fleet, SERVICES, until};
use lapin::{
    options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use microbazaar::bus::table::EXCHANGE;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shopper::Person;

/// Units of the one product.
const STOCK: u32 = 10_000;

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
    assert!(placed.traceresponse.is_some_and(|told| told.contains(trace)), "its trace is told");
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
    until("the buyer has her mails", async || {
        buyer.mails(&buyer.email, "Welcome").await == 1 && buyer.mails(&buyer.email, "Payment received").await == 1
    })
    .await;
    until("the event has the request's trace", async || {
        let message = fleet.channel.basic_get(heard.as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap();
        let Some(message) = message else { return false };
        let told = microbazaar::bus::rabbit::wire::trace(&message.delivery.properties);
        assert_eq!(told.map(microbazaar::trace::Trace::id), Some(trace.to_owned()));
        true
    })
    .await;
    only_its_own(&fleet, &buyer).await;
    Arc::into_inner(drop_people(fleet, [seller, buyer])).unwrap().end().await;
}

/// Each process serves its own paths and no others, and nobody's inner ones.
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
        let inner = format!("/internal/v1/{service}/ping");
        let asked = fleet.ask_at(service, Method::POST, &inner, &buyer.token, Some(&json!({})), &[]).await.unwrap();
        let called = !["notification", "seller-dashboard"].contains(&service);
        let refused = if called { StatusCode::FORBIDDEN } else { StatusCode::NOT_FOUND };
        assert_eq!(asked.status, refused, "{service}");
    }
}

/// The last holder of a fleet.
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
    let name = format!("test.{}", fleet.told.prefix);
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.unwrap();
    let (exchange, options) = (EXCHANGE.into(), QueueBindOptions::default());
    channel.queue_bind(name.as_str().into(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
    name
}

#[actix_rt::test]
async fn each_peer_is_taken_away_and_given_back_in_the_middle_of_sales() {
    let Some(fleet) = Fleet::start().await.map(Arc::new) else { return };
    let seller = Person::join(&fleet, "seller", "seller").await;
    let product = seller.product(STOCK).await;
    let ended = Arc::new(AtomicBool::new(false));
    let mut buying = vec![];
    for number in 0..3 {
        let buyer = Person::join(&fleet, &format!("buyer{number}"), "user").await;
        let (ended, product) = (Arc::clone(&ended), product.clone());
        buying.push(actix_rt::spawn(async move {
            let mut paid = vec![];
            while !ended.load(Ordering::SeqCst) {
                if let Some(order) = buyer.order(&product).await
                    && buyer.pay(&order).await
                {
                    paid.push(order);
                }
            }
            (buyer, paid)
        }));
    }
    let witness = Person::join(&fleet, "witness", "user").await;
    for (service, callers) in CALLERS {
        fleet.kill(service);
        for caller in callers {
            until(&format!("{caller} says that {service} is away"), async || {
                let (state, away) = fleet.readyz(caller).await;
                state == "degraded" && away.contains(&format!("peers.{service}"))
            })
            .await;
        }
        without(&fleet, service, &witness, &seller, &product).await;
        fleet.restart(service);
        for service in SERVICES {
            fleet.until_ready(service).await;
        }
    }
    ended.store(true, Ordering::SeqCst);
    let mut people = vec![];
    for buyer in buying {
        people.push(buyer.await.unwrap());
        assert!(!people.last().unwrap().1.is_empty(), "some were paid");
    }
    agreement::until_all_agrees(&fleet, &seller, &product, STOCK, &people).await;
    drop((people, witness, seller));
    Arc::into_inner(fleet).unwrap().end().await;
}

#[actix_rt::test]
async fn a_peer_that_does_nothing_hangs_nobody() {
    let Some(fleet) = Fleet::start().await.map(Arc::new) else { return };
    let seller = Person::join(&fleet, "seller", "seller").await;
    seller.product(STOCK).await;
    fleet.freeze("inventory", true);
    let offer = json!({"title": "A chair", "priceAmount": 5, "stock": 1});
    // Also while it is not known yet: each answer comes within the caller's patience.
    until("product says that it is away", async || {
        let answer = fleet.ask(Method::POST, "/api/products", &seller.token, Some(&offer)).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
        fleet.readyz("product").await == ("degraded".to_owned(), vec!["peers.inventory".to_owned()])
    })
    .await;
    let shown = fleet.ask(Method::GET, "/api/auth/me", &seller.token, None).await.expect("an answer");
    assert_eq!(shown.status, StatusCode::OK, "what needs no stock goes on: {shown:?}");
    fleet.freeze("inventory", false);
    fleet.until_ready("product").await;
    seller.product(1).await;
    drop(seller);
    Arc::into_inner(fleet).unwrap().end().await;
}

/// What needs a service that is away is answered with 503 and when to ask again; the rest goes on.
async fn without(fleet: &Fleet, service: &str, buyer: &Person, seller: &Person, product: &str) {
    let item = json!({"productId": product, "quantity": 1});
    let offer = json!({"title": "A chair", "priceAmount": 5, "stock": 1});
    let nothing = json!({});
    let refused: &[(&Person, Method, &str, Option<&serde_json::Value>)] = match service {
        "inventory" | "auth" => &[(seller, Method::POST, "/api/products", Some(&offer))],
        "product" => &[(buyer, Method::POST, "/api/cart/items", Some(&item))],
        "cart" => &[(buyer, Method::POST, "/api/orders", Some(&nothing))],
        "order" => &[(buyer, Method::POST, "/api/payments/create/665f1f77bcf86cd799439016", Some(&nothing))],
        _ => &[],
    };
    for (who, method, path, body) in refused {
        let answer = fleet.ask(method.clone(), path, &who.token, *body).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path} without {service}: {answer:?}");
        assert!(answer.retry_after.is_some(), "{path} without {service}");
    }
    if service != "order" {
        let orders = fleet.ask(Method::GET, "/api/orders/me", &buyer.token, None).await.expect("an answer");
        assert_eq!(orders.status, StatusCode::OK, "orders are shown without {service}");
    }
}
