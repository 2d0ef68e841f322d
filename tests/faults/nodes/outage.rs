//! Each of the three servers is stopped and started again during sales.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use test_support::{Answer, eventually};

use super::{
    STOCK,
    agreement::{self, until_all_agrees},
    fleet::{Fleet, Shape},
    sales::Sales,
    shopper::Shopper,
};

/// The stock of a product that sells out.
const SCARCE: u32 = 12;
/// Sales that the test waits for before and after each outage, and during one that the shop survives.
const SOME: usize = 4;

#[actix_rt::test]
async fn replicas_survive_an_outage_of_each_server_during_sales() {
    each_server_is_taken_away(Shape::Replicas).await;
}

#[actix_rt::test]
async fn split_services_survive_an_outage_of_each_server_during_sales() {
    each_server_is_taken_away(Shape::Split).await;
}

async fn each_server_is_taken_away(shape: Shape) {
    let Some((fleet, proxies)) = Fleet::start_with_proxies(shape).await else { return };
    let dead = agreement::dead(&fleet).await;
    let seller = Shopper::join(&fleet, "seller", "seller").await;
    let witness = Witness::of(&fleet, &seller).await;
    let products = [(seller.product(STOCK).await, STOCK), (seller.product(SCARCE).await, SCARCE)];
    let ids = products.clone().map(|(id, _)| id);
    let sales = Sales::start(&fleet, &ids, 3).await;
    for (server, server_proxy) in [("rabbitmq", &proxies.rabbit), ("redis", &proxies.redis)] {
        sales.go_on(SOME).await;
        server_proxy.cut();
        until_all_say(&fleet, "degraded", server).await;
        sales.go_on(SOME).await;
        server_proxy.mend();
        fleet.until_all_ready().await;
    }
    // First broken connections, then connections without traffic.
    for silent in [false, true] {
        sales.go_on(SOME).await;
        if silent {
            proxies.mongo.hold(true);
        } else {
            proxies.mongo.cut();
        }
        until_all_say(&fleet, "unavailable", "store").await;
        witness.is_refused(&fleet).await;
        proxies.mongo.hold(false);
        proxies.mongo.mend();
        fleet.until_all_ready().await;
        witness.is_served(&fleet).await;
    }
    sales.go_on(SOME).await;
    let people = sales.end().await;
    until_all_agrees(&fleet, &seller, &products, &people).await;
    assert_eq!(agreement::dead(&fleet).await, dead, "there is no dead letter");
    fleet.end().await;
}

async fn until_all_say(fleet: &Fleet, state: &str, away: &str) {
    for name in fleet.shape.names() {
        eventually(&format!("{name} reports {away} as unavailable"), async || {
            let (said, parts) = fleet.readyz(name).await;
            said == state && parts.iter().any(|part| part == away)
        })
        .await;
    }
}

/// Clients that send one of each kind of request that needs the database.
struct Witness {
    buyer: Shopper,
    seller: Shopper,
    product: String,
    order: String,
}

impl Witness {
    async fn of(fleet: &Fleet, seller: &Shopper) -> Self {
        let buyer = Shopper::join(fleet, "witness", "user").await;
        let product = seller.product(10).await;
        let order = buyer.order(&product).await.unwrap();
        Self { buyer, seller: seller.clone(), product, order }
    }

    /// One request of each kind: client, method and path. None of them changes what is sold.
    fn requests(&self) -> Vec<(&Shopper, Method, String, Option<Value>)> {
        let (buyer, seller, order) = (&self.buyer, &self.seller, &self.order);
        let product = format!("/api/products/{}", self.product);
        let login = json!({"email": buyer.person.email, "password": "correct horse"});
        let item = json!({"productId": self.product, "quantity": 1});
        vec![
            (buyer, Method::POST, "/api/auth/login".into(), Some(login)),
            (buyer, Method::GET, "/api/auth/me".into(), None),
            (seller, Method::PATCH, product, Some(json!({"title": "A lantern"}))),
            (buyer, Method::GET, format!("/api/inventory/{}", self.product), None),
            (buyer, Method::GET, "/api/cart".into(), None),
            (buyer, Method::POST, "/api/cart/items".into(), Some(item)),
            (buyer, Method::GET, "/api/orders/me".into(), None),
            (buyer, Method::GET, format!("/api/orders/{order}"), None),
            (buyer, Method::GET, format!("/api/payments/order/{order}"), None),
            (seller, Method::GET, "/api/seller/dashboard/metrics".into(), None),
            (seller, Method::GET, "/api/webhooks".into(), None),
        ]
    }

    /// The answers of every process that serves the request.
    async fn answers(&self, fleet: &Fleet) -> Vec<(String, Answer)> {
        let mut asked = vec![];
        for (who, method, path, body) in self.requests() {
            for name in fleet.serving(&path) {
                let (method, path, body) = (method.clone(), path.clone(), body.clone());
                asked.push(async move {
                    let answer = fleet.ask_at(name, method.clone(), &path, who.token(), body.as_ref()).await;
                    (format!("{method} {path} at {name}"), answer)
                });
            }
        }
        join_all(asked).await
    }

    /// While the database is unavailable each client gets `Retry-After`, and the processes are alive.
    async fn is_refused(&self, fleet: &Fleet) {
        for (what, answer) in self.answers(fleet).await {
            assert_eq!(answer.status, 503, "{what}: {answer:?}");
            assert!(answer.header("retry-after").is_some(), "{what}: {answer:?}");
        }
        for name in fleet.shape.names() {
            let alive = fleet.ask_at(name, Method::GET, "/healthz", "", None).await;
            assert_eq!(alive.status, 200, "{name}: {alive:?}");
        }
    }

    /// Soon after the recovery each client is served, by the same processes.
    async fn is_served(&self, fleet: &Fleet) {
        eventually("each kind of request is served", async || {
            let answers = self.answers(fleet).await;
            // There may be no payment.
            let served = |status: u16| (200..300).contains(&status) || status == 404;
            answers.iter().all(|(_, answer)| served(answer.status))
        })
        .await;
    }
}
