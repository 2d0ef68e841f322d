//! Nodes that notify each other over Redis: one sees the other's changes, although it would poll only once an hour.

use microbazaar::domain::ids::UserId;
use reqwest::Method;
use serde_json::json;
use test_support::{OwnServer, address, eventually, servers};

use super::shop::Nodes;

/// Two nodes that are connected to Redis.
async fn connected(url: &str) -> Option<Nodes> {
    let prefix = format!("test:{}:", UserId::generate());
    let woken = Nodes::start_with(900, |settings| {
        let settings = settings.redis(url).set("MICROBAZAAR_REDIS__PREFIX", &prefix);
        // The machine may be busy. By themselves they look less often than any test waits.
        settings.set("MICROBAZAAR_REDIS__TIMEOUT", "5s").set("MICROBAZAAR_REDIS__LOOK_EVERY", "1h")
    });
    let nodes = woken.await?;
    for node in [0, 1] {
        eventually("it hears the other", async || nodes.get(node, "/readyz", "").await.1["status"] == "ready").await;
    }
    Some(nodes)
}

/// The other node shows what one node changes: the product, its stock and the search for it.
async fn each_is_shown(nodes: &Nodes, seller: &str, buyer: &str, product: &str, round: u32) {
    let (here, there) = if round.is_multiple_of(2) { (0, 1) } else { (1, 0) };
    let path = format!("/api/products/{product}");
    // Shown before, so that it is cached there.
    let before = nodes.get(there, &path, "").await.1["stock"].as_i64().unwrap();
    let title = format!("Lantern{round}");
    nodes.send(here, Method::PATCH, &path, seller, &json!({"title": title})).await;
    eventually("the other node finds it", async || {
        let (_, found) = nodes.get(there, &format!("/api/products?q={title}"), "").await;
        found.as_array().is_some_and(|products| products.len() == 1)
    })
    .await;
    nodes.post(here, "/api/cart/items", buyer, &json!({"productId": product, "quantity": 1})).await;
    nodes.post(here, "/api/orders", buyer, &json!({"shippingAddress": address("Pune")})).await;
    eventually("the other node shows the stock", async || nodes.get(there, &path, "").await.1["stock"] == before - 1)
        .await;
}

#[actix_rt::test]
async fn notifications_alone_propagate_every_change() {
    let Some(url) = servers::redis() else { return };
    let Some(nodes) = connected(&url).await else { return };
    let (seller, buyer) = (nodes.join(0, "seller").await, nodes.join(1, "user").await);
    let product = nodes.product(0, &seller, 50).await;
    eventually("the other node has it", async || nodes.get(1, &format!("/api/products/{product}"), "").await.0 == 200)
        .await;
    for round in 0..4 {
        each_is_shown(&nodes, &seller, &buyer, &product, round).await;
    }
    // The relay of either node transports the events of both.
    let welcomed = nodes.mails(0, "Welcome").await;
    for more in 1..=8 {
        nodes.join(more % 2, "user").await;
        eventually("the mail is there", async || nodes.mails(0, "Welcome").await >= welcomed + more).await;
    }
    nodes.stop().await;
}

#[actix_rt::test]
async fn without_redis_nodes_poll_again() {
    let Some(mut redis) = OwnServer::redis() else { return };
    let Some(nodes) = connected(&redis.url()).await else { return };
    let (seller, buyer) = (nodes.join(0, "seller").await, nodes.join(1, "user").await);
    let product = nodes.product(0, &seller, 50).await;
    eventually("the other node has it", async || nodes.get(1, &format!("/api/products/{product}"), "").await.0 == 200)
        .await;
    redis.kill();
    for round in 0..3 {
        each_is_shown(&nodes, &seller, &buyer, &product, round).await;
    }
    redis.start_again();
    for node in [0, 1] {
        eventually("it hears the other again", async || nodes.get(node, "/readyz", "").await.1["status"] == "ready")
            .await;
    }
    each_is_shown(&nodes, &seller, &buyer, &product, 3).await;
    nodes.stop().await;
}
