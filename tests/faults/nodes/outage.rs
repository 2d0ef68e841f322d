//! Each of the three servers taken away and given back in the middle of sales.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    STOCK,
    agreement::{self, until_all_agrees},
    drop_people,
    fleet::{Fleet, Shape, until},
    sales::Sales,
    shopper::Person,
};

/// Units of what is soon sold out.
const SCARCE: u32 = 12;
/// Sales that are waited for before and after each outage, and during one that they survive.
const SOME: usize = 4;

#[actix_rt::test]
async fn each_server_is_taken_away_from_replicas_in_the_middle_of_sales() {
    each_server_is_taken_away(Shape::Replicas).await;
}

#[actix_rt::test]
async fn each_server_is_taken_away_from_split_services_in_the_middle_of_sales() {
    each_server_is_taken_away(Shape::Split).await;
}

async fn each_server_is_taken_away(shape: Shape) {
    let Some((fleet, ways)) = Fleet::start_over_ways(shape).await else { return };
    let fleet = Arc::new(fleet);
    let dead = agreement::dead(&fleet).await;
    let seller = Person::join(&fleet, "seller", "seller").await;
    let witness = Witness::of(&fleet, &seller).await;
    let products = [(seller.product(STOCK).await, STOCK), (seller.product(SCARCE).await, SCARCE)];
    let ids = products.clone().map(|(id, _)| id);
    let sales = Sales::start(&fleet, &ids, 3).await;
    for (server, way) in [("rabbitmq", &ways.rabbit), ("redis", &ways.redis)] {
        sales.go_on(SOME).await;
        way.cut();
        until_all_say(&fleet, "degraded", server).await;
        sales.go_on(SOME).await;
        way.mend();
        fleet.until_all_ready().await;
    }
    // Broken connections first, then ones on which nothing comes any more.
    for silent in [false, true] {
        sales.go_on(SOME).await;
        if silent {
            ways.mongo.hold(true);
        } else {
            ways.mongo.cut();
        }
        until_all_say(&fleet, "unavailable", "store").await;
        witness.is_refused(&fleet).await;
        ways.mongo.hold(false);
        ways.mongo.mend();
        fleet.until_all_ready().await;
        witness.is_served(&fleet).await;
    }
    sales.go_on(SOME).await;
    let people = sales.end().await;
    until_all_agrees(&fleet, &seller, &products, &people).await;
    assert_eq!(agreement::dead(&fleet).await, dead, "no message has died of it");
    drop(people);
    drop(witness);
    Arc::into_inner(drop_people(fleet, [seller])).unwrap().end().await;
}

async fn until_all_say(fleet: &Fleet, state: &str, away: &str) {
    for name in fleet.shape.names() {
        until(&format!("{name} says that {away} is away"), async || {
            let (said, parts) = fleet.readyz(name).await;
            said == state && parts.iter().any(|part| part == away)
        })
        .await;
    }
}

/// Somebody who asks for one of everything that needs the database.
struct Witness {
    buyer: Person,
    seller: Person,
    product: String,
    order: String,
}

impl Witness {
    async fn of(fleet: &Arc<Fleet>, seller: &Person) -> Self {
        let buyer = Person::join(fleet, "witness", "user").await;
        let product = seller.product(10).await;
        let order = buyer.order(&product).await.unwrap();
        Self { buyer, seller: seller.clone(), product, order }
    }

    /// A request of each kind: who asks, how, and what. None of them changes what is sold.
    fn requests(&self) -> Vec<(&Person, Method, String, Option<Value>)> {
        let (buyer, seller, order) = (&self.buyer, &self.seller, &self.order);
        let product = format!("/api/products/{}", self.product);
        let login = json!({"email": buyer.email, "password": "correct horse"});
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

    /// Every answer, once from every process that serves the request.
    async fn answers(&self, fleet: &Fleet) -> Vec<(String, super::fleet::Answer)> {
        let mut asked = vec![];
        for (who, method, path, body) in self.requests() {
            for name in fleet.serving(&path) {
                let (method, path, body) = (method.clone(), path.clone(), body.clone());
                asked.push(async move {
                    let answer = fleet.ask_at(name, method.clone(), &path, &who.token, body.as_ref(), &[]).await;
                    (format!("{method} {path} at {name}"), answer.expect("an answer"))
                });
            }
        }
        join_all(asked).await
    }

    /// While the database is away each is told when to come again, and the processes live.
    async fn is_refused(&self, fleet: &Fleet) {
        for (what, answer) in self.answers(fleet).await {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {answer:?}");
            assert!(answer.retry_after.is_some(), "{what}: {answer:?}");
        }
        for name in fleet.shape.names() {
            let alive = fleet.ask_at(name, Method::GET, "/healthz", "", None, &[]).await.expect("an answer");
            assert_eq!(alive.status, StatusCode::OK, "{name}: {alive:?}");
        }
    }

    /// Soon after it is back each is served, by the same processes.
    async fn is_served(&self, fleet: &Fleet) {
        until("each kind of request is served", async || {
            let answers = self.answers(fleet).await;
            // There may be no payment to show.
            let served = |status: StatusCode| status.is_success() || status == StatusCode::NOT_FOUND;
            answers.iter().all(|(_, answer)| served(answer.status))
        })
        .await;
    }
}
