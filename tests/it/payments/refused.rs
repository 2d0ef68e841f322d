//! Orders that the gateway refuses permanently.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::text;

use super::{
    gateways::{Razorpay, hasty, inr},
    market::Shop,
    tiny::Tiny,
};
use microbazaar::{
    domain::ids::OrderId,
    integrations::payment::{GatewayError, PaymentGateway},
};

/// The buyer's cart: the quantity of each product.
async fn cart(shop: &Shop, buyer: &str) -> Vec<(String, u64)> {
    let cart = shop.get("/api/cart", buyer).await["cart"].clone();
    let lines = cart["items"].as_array().unwrap().iter();
    lines.map(|line| (text(&line["productId"]), line["quantity"].as_u64().unwrap())).collect()
}

#[actix_rt::test]
async fn a_refused_order_is_cancelled_and_stock_and_cart_are_restored() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let placed = shop.get(&format!("/api/orders/{order}"), &buyer).await["order"].clone();
    let product = text(&placed["items"][0]["product"]);
    // Meanwhile the cart has one of the same product again.
    shop.post("/api/cart/items", &buyer, &json!({"productId": product, "quantity": 3})).await;
    shop.standin.set_limit(Some(100));
    let create = format!("/api/payments/create/{order}");
    let (status, output) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!((status, &output["code"]), (409, &json!("payment.refused")), "{output}");
    assert!(text(&output["message"]).contains("Amount exceeds maximum amount allowed"), "{output}");
    let ended = shop.get(&format!("/api/orders/{order}"), &buyer).await["order"].clone();
    assert_eq!(ended["status"], "CANCELLED");
    let timeline = ended["timeline"].as_array().unwrap();
    assert_eq!((timeline.len(), &timeline[1]["reason"]), (2, &json!("payment refused")), "{ended}");
    let stock = shop.get(&format!("/api/inventory/{product}"), "").await;
    assert_eq!((&stock["available"], &stock["reserved"]), (&json!(100), &json!(0)));
    assert_eq!(cart(&shop, &buyer).await, [(product.clone(), 5)]);
    // Again: the order has ended, and nothing is returned twice.
    let (status, output) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!((status, &output["code"]), (409, &json!("payment.not_payable")), "{output}");
    assert_eq!(cart(&shop, &buyer).await, [(product, 5)]);
    assert_eq!(shop.standin.orders_for(&order), [""; 0]);
    // The same cart, below the limit, is a normal order.
    shop.standin.set_limit(None);
    let (status, placed) = shop.post("/api/orders", &buyer, &json!({})).await;
    assert_eq!(status, 201, "{placed}");
    shop.opened(&buyer, &text(&placed["order"]["_id"])).await;
    shop.stop().await;
}

/// A shop whose gateway gives this answer when an order is opened.
async fn answered(status: u16, error: Value) -> (Shop, String, String, (u16, Value)) {
    let body = json!({ "error": error }).to_string();
    let gateway = Tiny::start(move |_| (status, body.clone())).await;
    let shop = Shop::open_with(&[("MICROBAZAAR_RAZORPAY__BASE_URL", &gateway.url())]).await;
    let (buyer, order) = shop.ordered().await;
    let output = shop.post(&format!("/api/payments/create/{order}"), &buyer, &json!({})).await;
    (shop, buyer, order, output)
}

#[actix_rt::test]
async fn a_temporary_refusal_changes_nothing() {
    for (status, error) in [
        (400, json!({"code": "BAD_REQUEST_ERROR", "description": "The receipt is too long.", "field": "receipt"})),
        (401, json!({"code": "BAD_REQUEST_ERROR", "description": "The amount is not for you", "field": "amount"})),
        (403, json!({"code": "BAD_REQUEST_ERROR", "description": "no amount", "field": "amount"})),
        (404, json!({"code": "BAD_REQUEST_ERROR", "description": "no amount", "field": "amount"})),
        (429, json!({"code": "BAD_REQUEST_ERROR", "description": "too many amounts", "field": "amount"})),
        (500, json!({"code": "SERVER_ERROR", "description": "the amount broke us", "field": "amount"})),
    ] {
        let (shop, buyer, order, (answer, output)) = answered(status, error.clone()).await;
        assert_eq!(answer, 503, "{status} {error}: {output}");
        assert_eq!(shop.order_status(&buyer, &order).await, "PENDING", "{status} {error}");
        assert!(cart(&shop, &buyer).await.is_empty(), "{status} {error}");
        shop.stop().await;
    }
    let currency = json!({"code": "BAD_REQUEST_ERROR", "description": "Currency is not supported"});
    let (shop, buyer, order, (answer, output)) = answered(400, currency).await;
    assert_eq!((answer, &output["code"]), (409, &json!("payment.refused")), "{output}");
    assert_eq!(shop.order_status(&buyer, &order).await, "CANCELLED");
    shop.stop().await;
}

#[tokio::test]
async fn only_errors_about_amount_and_currency_are_permanent() {
    let Razorpay { standin, gateway } = Razorpay::open();
    standin.set_limit(Some(500));
    gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let refused = gateway.create_order(OrderId::generate(), inr(501)).await;
    assert_eq!(refused, Err(GatewayError::Refused("Amount exceeds maximum amount allowed.".to_owned())));
    let odd = Tiny::start(|_| (400, json!({"error": {"description": "no", "field": "notes"}}).to_string())).await;
    let opened = hasty(&odd.url()).create_order(OrderId::generate(), inr(500)).await;
    assert!(matches!(opened, Err(GatewayError::Unavailable(_))), "{opened:?}");
}

#[actix_rt::test]
async fn the_page_reports_a_refused_order() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    shop.standin.set_limit(Some(100));
    let request = |path: &str, more: &str| {
        let request = shop.http.request(Method::GET, format!("{}{path}", shop.base()));
        request.header("cookie", format!("token={buyer}{more}")).header("accept", "text/html")
    };
    // The client may follow the redirect itself, and stores no cookies.
    let answer = request(&format!("/orders/{order}/pay"), "").send().await.unwrap();
    let page = if answer.status().is_redirection() {
        let output: Vec<String> = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        request(&location, &format!("; {}", output.join("; "))).send().await.unwrap().text().await.unwrap()
    } else {
        panic!("a redirect to the order: {}", answer.status());
    };
    for said in ["cannot be paid", "Nothing was charged", "back in your cart", "Amount exceeds maximum amount allowed"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(shop.order_status(&buyer, &order).await, "CANCELLED");
    shop.stop().await;
}
