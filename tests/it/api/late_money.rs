//! Payments of orders that have ended.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};

use super::{
    Person, Shop, id, money,
    payments::{ordered, report, webhook},
    text,
};

const WINDOW: Duration = Duration::from_secs(2);

/// Opens a payment and lets its order expire; returns the gateway's order.
async fn expired(app: &Shop, asha: &Person, order: &Value) -> String {
    let opened = app.open_payment(asha, order).await.expect(201);
    let path = format!("/api/orders/{}", id(order));
    app.until("the window's end", &asha.token, &path, |body| body["order"]["status"] == "CANCELLED").await;
    text(&opened["razorpayOrderId"])
}

#[actix_web::test]
async fn money_for_a_cancelled_order_is_refunded() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    app.post(&format!("/api/orders/{}/cancel", id(&order))).token(&asha.token).send().await.expect(200);
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    for _ in 0..2 {
        let verified = app.verify(&asha, &checkout).await.expect(200);
        assert_eq!(verified["payment"]["status"], "REFUNDED");
        let refunds = verified["payment"]["refunds"].as_array().unwrap();
        assert_eq!((refunds.len(), &refunds[0]["amount"]), (1, &money(270.0)));
    }
    assert_eq!(app.order_now(&asha, &order).await["status"], "CANCELLED");
    assert_eq!(app.stock(&lamp).await, (30, 0, 30));
    assert_eq!(app.mails_that_begin(&asha, "Refund").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cancelled_paid_order_is_refunded_and_its_stock_is_back() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    app.pay(&asha, &order).await;
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    let path = format!("/api/orders/{}/cancel", id(&order));
    let cancelled = app.post(&path).token(&asha.token).json(&json!({"reason": "too late"})).send().await.expect(200);
    assert_eq!(cancelled["order"]["status"], "CANCELLED");
    assert_eq!(app.stock(&lamp).await, (30, 0, 30));
    let path = format!("/api/payments/order/{}", id(&order));
    let refunded = app.until("the refund", &asha.token, &path, |body| body["payment"]["status"] == "REFUNDED").await;
    assert_eq!(refunded["payment"]["refunds"][0]["amount"], money(270.0));
    assert_eq!(refunded["payment"]["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(app.mails_that_begin(&asha, "Refund").await, 1);
    assert_eq!(app.mails_that_begin(&asha, "Order cancelled").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn late_money_reserves_the_stock_again_if_available() {
    let app = Shop::open_with(|config| config.order.payment_window = WINDOW).await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let razorpay_order = expired(&app, &asha, &order).await;
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    let verified = app.verify(&asha, &checkout).await.expect(200);
    assert_eq!(verified["payment"]["status"], "SUCCESSFUL");
    assert_eq!(app.order_now(&asha, &order).await["status"], "CONFIRMED");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    app.shutdown().await;
}

#[actix_web::test]
async fn late_money_is_refunded_when_the_stock_is_sold() {
    let app = Shop::open_with(|config| config.order.payment_window = WINDOW).await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let razorpay_order = expired(&app, &asha, &order).await;
    let other = app.user("ravi").await;
    app.until("the stock", "", &format!("/api/inventory/{lamp}"), |level| level["available"] == 30).await;
    let rest = app.order(&other, &lamp, 30).await;
    app.pay(&other, &rest).await;
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    let payment_id = text(&checkout["razorpay_payment_id"]);
    let body = report("payment.captured", &razorpay_order, &payment_id);
    webhook(&app, "/api/payments/webhook", "evt_1", &body).await.expect(200);
    let verified = app.verify(&asha, &checkout).await.expect(200);
    assert_eq!(verified["message"], "Payment verified");
    assert_eq!(verified["payment"]["status"], "REFUNDED");
    assert_eq!(verified["payment"]["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(app.order_now(&asha, &order).await["status"], "CANCELLED");
    assert_eq!(app.stock(&lamp).await, (0, 0, 0));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_concurrent_payment_and_cancellation_return_money_and_stock() {
    let app = Shop::open().await;
    let (_, asha, lamp, mut order) = ordered(&app).await;
    for _ in 0..5 {
        let opened = app.open_payment(&asha, &order).await.expect(201);
        let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
        let cancel = app.post(&format!("/api/orders/{}/cancel", id(&order))).token(&asha.token).send();
        let (cancelled, verified) = join(cancel, app.verify(&asha, &checkout)).await;
        assert_eq!(cancelled.expect(200)["order"]["status"], "CANCELLED");
        verified.expect(200);
        let path = format!("/api/payments/order/{}", id(&order));
        let is_back = |body: &Value| body["payment"]["status"] == "REFUNDED";
        let payment = app.until("the refund", &asha.token, &path, is_back).await;
        assert_eq!(payment["payment"]["refunds"].as_array().unwrap().len(), 1);
        assert_eq!(app.order_now(&asha, &order).await["status"], "CANCELLED");
        assert_eq!(app.stock(&lamp).await, (30, 0, 30));
        order = app.order(&asha, &lamp, 20).await;
    }
    app.shutdown().await;
}
