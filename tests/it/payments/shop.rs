//! A whole shop that uses Razorpay.

use std::time::Duration;

use serde_json::json;
use test_support::{
    eventually,
    razorpay::{Fault, Faults, Habits, Outcome},
    text,
};

use super::market::Shop;

#[actix_rt::test]
async fn an_order_is_paid_by_razorpay() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let create = format!("/api/payments/create/{order}");
    let (status, opened) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!(status, 201, "{opened}");
    let at_gateway = text(&opened["razorpayOrderId"]);
    assert_eq!(shop.standin.orders_for(&order), std::slice::from_ref(&at_gateway));
    assert_eq!(opened["keyId"], test_support::razorpay::KEY_ID);
    assert_eq!(opened["amount"], shop.standin.truth()[&at_gateway].amount);
    assert_eq!(shop.post(&create, &buyer, &json!({})).await.0, 200, "the same again");
    let (status, _) =
        shop.post(&format!("/sandbox/payments/{at_gateway}"), &buyer, &json!({"outcome": "success"})).await;
    assert_eq!(status, 404, "there is no sandbox");

    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let mut forged = checkout.json();
    forged["razorpay_payment_id"] = json!("pay_29QQoUBi66xm2f");
    assert_eq!(shop.post("/api/payments/verify", &buyer, &forged).await.0, 400);
    assert_eq!(shop.order_status(&buyer, &order).await, "PENDING");
    for _ in 0..2 {
        let (status, verified) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
        assert_eq!((status, &verified["payment"]["status"]), (200, &json!("SUCCESSFUL")), "{verified}");
    }
    assert_eq!(shop.order_status(&buyer, &order).await, "CONFIRMED");
    // Known results are returned again, also while the gateway is unavailable.
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    let (status, output) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
    assert_eq!((status, &output["payment"]["status"]), (200, &json!("SUCCESSFUL")), "{output}");
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.captured, truth.captures, truth.refunded), (truth.amount, 1, 0));
    shop.stop().await;
}

#[actix_rt::test]
async fn webhooks_alone_confirm_an_order_and_a_cancelled_one_is_refunded() {
    let shop = Shop::open().await;
    let _post =
        shop.standin.post_to(&format!("{}/api/payments/webhook", shop.base()), Habits { lost: 0, ..Habits::bad(5) });
    let (buyer, order) = shop.ordered().await;
    let (_, opened) = shop.post(&format!("/api/payments/create/{order}"), &buyer, &json!({})).await;
    let at_gateway = text(&opened["razorpayOrderId"]);
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    eventually("the order is confirmed", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.standin.next("POST /v1/payments", Fault::CutAfter);
    shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    eventually("the money is back", async || {
        let truth = &shop.standin.truth()[&at_gateway];
        truth.refunded == truth.captured && truth.captured > 0
    })
    .await;
    eventually("the payment says so", async || {
        shop.get(&format!("/api/payments/order/{order}"), &buyer).await["payment"]["status"] == "REFUNDED"
    })
    .await;
    assert_eq!(shop.standin.truth()[&at_gateway].refunds, 1);
    shop.stop().await;
}

#[actix_rt::test]
async fn an_unavailable_gateway_is_named_and_used_again_when_it_is_back() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let ready = shop.get("/readyz", "").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    let create = format!("/api/payments/create/{order}");
    eventually("it is named", async || {
        let (status, output) = shop.post(&create, &buyer, &json!({})).await;
        assert_eq!(status, 503, "{output}");
        let ready = shop.get("/readyz", "").await;
        ready["status"] == "degraded" && ready["away"] == json!(["razorpay"])
    })
    .await;
    shop.standin.set_faults(Faults::none());
    eventually("it is found back", async || shop.get("/readyz", "").await["status"] == "ready").await;
    let (status, output) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!(status, 201, "{output}");
    let metrics = shop.metrics().await;
    assert!(metrics.contains("gateway_calls_total{call=\"create_order\",outcome=\"done\"}"), "{metrics}");
    assert!(metrics.contains("gateway_up"), "{metrics}");
    tokio::time::timeout(Duration::from_secs(30), shop.stop()).await.unwrap();
}
