//! Stock, changed by the platform's own processes.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Shop, is_moment};

const ORDER: &str = "665f1f77bcf86cd799439016";
const OTHER: &str = "665f1f77bcf86cd799439017";

#[actix_web::test]
async fn only_a_service_changes_stock() {
    let app = Shop::open().await;
    let (seller, admin) = (app.seller("mira").await, app.admin().await);
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let stock = format!("/api/inventory/{lamp}");
    for (method, path) in [
        ("PUT", stock.as_str()),
        ("POST", "/api/inventory/reserve"),
        ("POST", "/api/inventory/release"),
        ("POST", "/api/inventory/commit"),
    ] {
        let body = json!({"available": 9, "orderId": ORDER, "items": [{"productId": lamp, "quantity": 1}]});
        let call = || app.call(method.parse().unwrap(), path).json(&body);
        call().send().await.expect(401);
        for token in [&app.stranger().token, &seller.token, &admin.token] {
            call().token(token).send().await.expect(403);
        }
    }
    assert_eq!(app.stock(&lamp).await, (5, 0, 5));
    app.get("/api/cart").token(&app.service_token()).send().await.expect(403);
    app.get(&format!("/api/inventory/{ORDER}")).send().await.expect(404);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_reservation_is_made_once_and_released_once() {
    let app = Shop::open().await;
    let (seller, token) = (app.seller("mira").await, app.service_token());
    let (lamp, cup) = (app.product(&seller, "Lamp", 1.0, 5).await, app.product(&seller, "Cup", 1.0, 1).await);
    let post = |what: &str, body: Value| app.post(&format!("/api/inventory/{what}")).token(&token).json(&body).send();
    let items = json!([{"productId": lamp, "quantity": 2}, {"productId": cup, "quantity": 1}]);
    let made = post("reserve", json!({"orderId": ORDER, "items": items})).await.expect(200);
    assert!(made["reservationId"].is_string() && is_moment(&made["expiresAt"]));
    assert_eq!(post("reserve", json!({"orderId": ORDER, "items": items})).await.expect(200), made);
    assert_eq!((app.stock(&lamp).await, app.stock(&cup).await), ((5, 2, 3), (1, 1, 0)));
    let product = app.get(&format!("/api/products/{lamp}")).send().await.expect(200);
    assert_eq!(product["stock"], 3, "what can be bought now");

    let short = post("reserve", json!({"orderId": OTHER, "items": items})).await.expect(409);
    assert_eq!(short["items"][0]["productId"], cup.as_str());
    assert_eq!((&short["items"][0]["requested"], &short["items"][0]["available"]), (&json!(1), &json!(0)));
    assert_eq!(app.stock(&lamp).await, (5, 2, 3), "all or nothing");

    let body = json!({"available": 10});
    let set = app.put(&format!("/api/inventory/{lamp}")).token(&token).json(&body).send().await.expect(200);
    assert_eq!(set, json!({"productId": lamp, "onHand": 12, "reserved": 2, "available": 10}));
    for _ in 0..2 {
        post("release", json!({"orderId": ORDER})).await.expect(200);
        assert_eq!((app.stock(&lamp).await, app.stock(&cup).await), ((12, 0, 12), (1, 0, 1)));
    }
    post("reserve", json!({"orderId": ORDER, "items": items})).await.expect(409);
    post("commit", json!({"orderId": ORDER})).await.expect(409);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_commit_sells_once() {
    let app = Shop::open().await;
    let (seller, token) = (app.seller("mira").await, app.service_token());
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let post = |what: &str, body: Value| app.post(&format!("/api/inventory/{what}")).token(&token).json(&body).send();
    post("commit", json!({"orderId": ORDER})).await.expect(404);
    let items = json!([{"productId": lamp, "quantity": 2}]);
    let reserve = || post("reserve", json!({"orderId": ORDER, "items": items}));
    for answer in join_all((0..8).map(|_| reserve())).await {
        answer.expect(200);
    }
    for _ in 0..2 {
        post("commit", json!({"orderId": ORDER})).await.expect(200);
        assert_eq!(app.stock(&lamp).await, (3, 0, 3));
    }
    reserve().await.expect(200);
    assert_eq!(app.stock(&lamp).await, (3, 0, 3));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_malformed_call_is_refused_by_field() {
    let app = Shop::open().await;
    let (seller, token) = (app.seller("mira").await, app.service_token());
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let reserve = |body: Value| app.post("/api/inventory/reserve").token(&token).json(&body).send();
    reserve(json!({"items": []})).await.invalid("orderId");
    reserve(json!({"orderId": ORDER})).await.invalid("items");
    reserve(json!({"orderId": ORDER, "items": []})).await.invalid("items");
    let item = |quantity: Value| json!({"orderId": ORDER, "items": [{"productId": lamp, "quantity": quantity}]});
    for bad in [json!(0), json!(-1), json!("1"), json!(1.5)] {
        reserve(item(bad)).await.invalid("items[0].quantity");
    }
    let unknown = json!({"orderId": ORDER, "items": [{"productId": OTHER, "quantity": 1}]});
    let status = reserve(unknown).await.status;
    assert!([404, 409].contains(&status), "{status}");
    for bad in [json!({}), json!({"available": -1}), json!({"available": "x"})] {
        let call = app.put(&format!("/api/inventory/{lamp}")).token(&token).json(&bad);
        call.send().await.invalid("available");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn a_reservation_without_an_order_expires() {
    let window = std::time::Duration::from_millis(300);
    let app = Shop::open_with(|config| config.order.payment_window = window).await;
    let (seller, token) = (app.seller("mira").await, app.service_token());
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let body = json!({"orderId": ORDER, "items": [{"productId": lamp, "quantity": 5}]});
    app.post("/api/inventory/reserve").token(&token).json(&body).send().await.expect(200);
    assert_eq!(app.stock(&lamp).await, (5, 5, 0));
    app.until("the end", "", &format!("/api/inventory/{lamp}"), |level| level["available"] == 5).await;
    app.shutdown().await;
}
