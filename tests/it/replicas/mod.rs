//! Two nodes of one shop over one database, a database that is killed, and a shop that is moved to one.

mod killed;
mod notified;
mod shop;
mod transfer;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use test_support::{address, eventually, text};

use self::shop::Nodes;

#[actix_rt::test]
async fn a_block_on_one_node_is_effective_on_the_other() {
    let Some(nodes) = Nodes::start(900).await else { return };
    let seller = nodes.join(0, "seller").await;
    let (first, second) = (nodes.join(1, "user").await, nodes.join(1, "user").await);
    let product = nodes.product(0, &seller, 10).await;
    let (_, me) = nodes.get(0, "/api/auth/me", &seller).await;
    eventually("the other node finds it", async || {
        nodes.get(1, "/api/products?q=lamp", "").await.1.as_array().is_some_and(|found| found.len() == 1)
    })
    .await;
    let line = json!({"productId": product, "quantity": 1});
    for buyer in [&first, &second] {
        nodes.post(1, "/api/cart/items", buyer, &line).await;
    }
    let made = nodes.post(1, "/api/orders", &first, &json!({})).await;
    nodes.block(0, &text(&me["user"]["_id"])).await;
    // At once, whether or not the other node was notified.
    let (status, refused) = nodes.ask(1, reqwest::Method::POST, "/api/orders", &second, &json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("cart.not_for_sale")), "{refused}");
    let begun = std::time::Instant::now();
    eventually("the other node hides it", async || {
        let found = nodes.get(1, "/api/products", "").await.1;
        nodes.get(1, &format!("/api/products/{product}"), "").await.0 == 404 && found == json!([])
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it hears of it in a moment: {:?}", begun.elapsed());
    let (status, refused) = nodes.ask(1, reqwest::Method::POST, "/api/cart/items", &first, &line).await;
    assert_eq!((status, &refused["code"]), (409, &json!("cart.not_for_sale")));
    let order = format!("/api/orders/{}", text(&made["order"]["_id"]));
    eventually("the unpaid order ends", async || {
        nodes.get(1, &order, &first).await.1["order"]["status"] == "CANCELLED"
    })
    .await;
    eventually("the token is dead", async || nodes.get(1, "/api/auth/me", &seller).await.0 == 401).await;
    eventually("nothing is held", async || nodes.stock(&product).await.reserved == 0).await;
    nodes.stop().await;
}

#[actix_rt::test]
async fn each_node_sees_what_the_other_answered() {
    let Some(nodes) = Nodes::start(900).await else { return };
    let seller = nodes.join(0, "seller").await;
    let buyer = nodes.join(1, "user").await;
    let product = nodes.product(0, &seller, 10).await;
    // At once: a user who registered on one node is known to the other, with their cart.
    assert_eq!(nodes.get(0, "/api/auth/me", &buyer).await.0, 200);
    for node in [1, 0, 1] {
        let line = json!({"productId": product, "quantity": 1});
        nodes.post(node, "/api/cart/items", &buyer, &line).await;
    }
    let (_, cart) = nodes.get(0, "/api/cart", &buyer).await;
    assert_eq!(cart["cart"]["items"][0]["quantity"], 3, "{cart}");
    let order = nodes.post(0, "/api/orders", &buyer, &json!({"shippingAddress": address("Pune")})).await;
    let id = text(&order["order"]["_id"]);
    let (status, seen) = nodes.get(1, &format!("/api/orders/{id}"), &buyer).await;
    assert_eq!((status, &seen["order"]["status"]), (200, &json!("PENDING")));
    let (_, cart) = nodes.get(1, "/api/cart", &buyer).await;
    assert_eq!(cart["cart"]["items"], json!([]), "{cart}");
    // A moment later: stock, the product itself, and the search for it.
    let path = format!("/api/products/{product}");
    eventually("the other node shows the stock", async || nodes.get(1, &path, "").await.1["stock"] == 7).await;
    nodes.send(0, reqwest::Method::PATCH, &path, &seller, &json!({"title": "Reading lantern"})).await;
    eventually("the other node shows the title", async || {
        nodes.get(1, &path, "").await.1["title"] == "Reading lantern"
    })
    .await;
    eventually("the other node finds it", async || {
        let (_, found) = nodes.get(1, "/api/products?q=lantern", "").await;
        found.as_array().is_some_and(|products| products.len() == 1)
    })
    .await;
    // A logout revokes the token everywhere, at once.
    nodes.post(0, "/api/auth/logout", &buyer, &json!({})).await;
    assert_eq!(nodes.get(1, "/api/auth/me", &buyer).await.0, 401);
    nodes.stop().await;
}

#[actix_rt::test]
async fn twenty_orders_of_a_user_over_two_nodes_leave_ten_unpaid() {
    let Some(nodes) = Nodes::start(900).await else { return };
    let seller = nodes.join(0, "seller").await;
    let buyer = nodes.join(0, "user").await;
    let product = nodes.product(0, &seller, 100_000).await;
    let order = async |node: usize| {
        let line = json!({"productId": product, "quantity": 1});
        nodes.ask(node, reqwest::Method::POST, "/api/cart/items", &buyer, &line).await;
        nodes.ask(node, reqwest::Method::POST, "/api/orders", &buyer, &json!({})).await
    };
    let (mut made, mut refused) = (0, 0);
    // Most find the cart emptied by another, so that a round makes only one or a few orders, of many units each.
    for _ in 0..100 {
        if refused > 0 {
            break;
        }
        for (status, answer) in join_all((0..20).map(|number| order(number % 2))).await {
            made += u32::from(status == 201);
            refused += u32::from(answer["code"] == "order.too_many_unpaid");
        }
        let (_, mine) = nodes.get(1, "/api/orders/me?status=PENDING&limit=100", &buyer).await;
        let unpaid = mine["pagination"]["total"].as_u64().unwrap();
        assert!(unpaid <= 10 && unpaid == u64::from(made), "{unpaid} of {made}");
    }
    assert!(made == 10 && refused > 0, "{made} made, {refused} refused");
    nodes.stop().await;
}

#[actix_rt::test]
async fn a_hundred_and_twenty_buyers_over_two_nodes_get_thirty_units() {
    let Some(nodes) = Nodes::start(900).await else { return };
    let seller = nodes.join(0, "seller").await;
    let product = nodes.product(0, &seller, 30).await;
    let buyers = join_all((0..120).map(|at| nodes.join(at % 2, "user"))).await;
    eventually("the other node has the product", async || {
        nodes.get(1, &format!("/api/products/{product}"), "").await.0 == 200
    })
    .await;
    let line = json!({"productId": product, "quantity": 1});
    let carts = buyers.iter().enumerate().map(|(at, buyer)| nodes.post(at % 2, "/api/cart/items", buyer, &line));
    join_all(carts).await;
    // Each buyer uses the node that has not cached their cart.
    let body = json!({"shippingAddress": address("Pune")});
    let orders = buyers
        .iter()
        .enumerate()
        .map(|(at, buyer)| nodes.ask((at + 1) % 2, reqwest::Method::POST, "/api/orders", buyer, &body));
    let statuses: Vec<u16> = join_all(orders).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 30, "{statuses:?}");
    assert!(statuses.iter().all(|status| *status == 201 || *status == 400 || *status == 409), "{statuses:?}");
    let stock = nodes.stock(&product).await;
    assert_eq!((stock.available(), stock.reserved, stock.sold), (0, 30, 0));
    nodes.stop().await;
}

#[actix_rt::test]
async fn requests_over_several_nodes_lose_no_update() {
    let Some(nodes) = Nodes::start(900).await else { return };
    let seller = nodes.join(0, "seller").await;
    let buyer = nodes.join(1, "user").await;
    let product = nodes.product(0, &seller, 1_000).await;
    eventually("the other node has the product", async || {
        nodes.get(1, &format!("/api/products/{product}"), "").await.0 == 200
    })
    .await;
    let line = json!({"productId": product, "quantity": 1});
    let add = |at: usize| nodes.ask(at % 2, reqwest::Method::POST, "/api/cart/items", &buyer, &line);
    let answers = join_all((0..40).map(add)).await;
    // With forty writers of one document, one may time out: it may have been done.
    let unknown = answers.iter().filter(|(status, answer)| *status == 503 && answer["code"] == "outcome_unknown");
    let (unknown, done) = (unknown.count(), answers.iter().filter(|(status, _)| *status == 200).count());
    assert_eq!(done + unknown, 40, "{answers:?}");
    assert!(unknown <= 4, "{answers:?}");
    for node in [0, 1] {
        let (_, cart) = nodes.get(node, "/api/cart", &buyer).await;
        let quantity = usize::try_from(cart["cart"]["items"][0]["quantity"].as_u64().unwrap()).unwrap();
        assert!((done..=40).contains(&quantity), "{done} were done: {cart}");
    }
    nodes.stop().await;
}

#[actix_rt::test]
async fn another_node_finishes_unfinished_work() {
    let Some(mut nodes) = Nodes::start(3).await else { return };
    let seller = nodes.join(0, "seller").await;
    let buyer = nodes.join(0, "user").await;
    let product = nodes.product(0, &seller, 5).await;
    // Placed on a node that ends at once; its window ends a moment later.
    nodes.post(0, "/api/cart/items", &buyer, &json!({"productId": product, "quantity": 2})).await;
    let order = nodes.post(0, "/api/orders", &buyer, &json!({"shippingAddress": address("Pune")})).await;
    let id = text(&order["order"]["_id"]);
    nodes.end(0).await;
    let path = format!("/api/orders/{id}");
    eventually("the order is cancelled by the other node", async || {
        nodes.get(1, &path, &buyer).await.1["order"]["status"] == "CANCELLED"
    })
    .await;
    eventually("its stock is back", async || nodes.stock(&product).await.available() == 5).await;
    eventually("its mail is there", async || nodes.mails(1, "Order cancelled").await == 1).await;
    nodes.stop().await;
}
