//! Refunds, by an admin.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Person, TestApp, id, money, payments::ordered};

#[actix_web::test]
async fn a_part_the_rest_and_no_more_is_refunded() {
    let app = TestApp::spawn().await;
    let (seller, asha, lamp, order) = ordered(&app).await;
    let admin = app.admin().await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let path = format!("/api/payments/{}/refunds", id(&opened["payment"]));
    let refund = async |token: &str, body: Value| app.post(&path).token(token).json(&body).send().await;
    refund(&admin.token, json!({})).await.refused(409, "payment.not_captured");
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    app.verify(&asha, &checkout).await.expect(200);
    for token in [&asha.token, &seller.token] {
        refund(token, json!({})).await.expect(403);
    }
    app.post(&path).json(&json!({})).send().await.expect(401);

    let part = refund(&admin.token, json!({"amount": {"amount": 70.5}, "reason": "scratched"})).await.expect(201);
    assert_eq!((&part["refund"]["amount"], &part["refund"]["reason"]), (&money(70.5), &json!("scratched")));
    id(&part["refund"]);
    assert_eq!(part["payment"]["status"], "SUCCESSFUL");
    assert_eq!(part["payment"]["refunds"], json!([part["refund"]]));
    for (bad, path) in [
        (json!({"amount": {"amount": 0}}), "amount"),
        (json!({"amount": {"amount": -5}}), "amount"),
        (json!({"amount": {"amount": 1, "currency": "USD"}}), "amount.currency"),
        (json!({"amount": {"amount": 1.001}}), "amount.amount"),
        (json!({"amount": 5}), "amount"),
        (json!({"reason": 5}), "reason"),
    ] {
        refund(&admin.token, bad).await.invalid(path);
    }
    let over = json!({"amount": {"amount": 199.51, "currency": "INR"}});
    refund(&admin.token, over).await.refused(409, "payment.more_than_left");
    let rest = app.post(&path).token(&admin.token).send().await.expect(201);
    assert_eq!(rest["refund"]["amount"], money(199.5));
    assert_eq!(rest["payment"]["status"], "REFUNDED");
    refund(&admin.token, json!({})).await.expect(409);
    app.post("/api/payments/665f1f77bcf86cd799439011/refunds").token(&admin.token).send().await.expect(404);
    assert_eq!(app.payment_of(&asha, &order).await, rest["payment"]);
    assert_eq!(app.stock(&lamp).await, (30, 0, 30), "nothing had left");
    assert_eq!(app.mails_that_begin(&asha, "Refund").await, 2);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_key_refunds_once() {
    let app = TestApp::spawn().await;
    let (_, asha, _, order) = ordered(&app).await;
    let admin = app.admin().await;
    let payment = app.pay(&asha, &order).await;
    let path = format!("/api/payments/{}/refunds", id(&payment));
    let refund = |amount: f64| {
        let body = json!({"amount": {"amount": amount}});
        app.post(&path).token(&admin.token).header("idempotency-key", "k").json(&body).send()
    };
    let first = refund(20.0).await.expect(201);
    for again in join_all((0..4).map(|_| refund(20.0))).await {
        assert_eq!(again.expect(201)["refund"]["_id"], first["refund"]["_id"]);
    }
    refund(21.0).await.refused(422, "idempotency.key_reused");
    assert_eq!(app.payment_of(&asha, &order).await["refunds"].as_array().unwrap().len(), 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn many_refunds_at_once_never_give_back_too_much() {
    let app = TestApp::spawn().await;
    let (_, asha, _, order) = ordered(&app).await;
    let admin = app.admin().await;
    let payment = app.pay(&asha, &order).await;
    let path = format!("/api/payments/{}/refunds", id(&payment));
    let refund = |_| app.post(&path).token(&admin.token).json(&json!({"amount": {"amount": 100}})).send();
    let answers = join_all((0..6).map(refund)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        refused.refused(409, "payment.more_than_left");
    }
    app.shutdown().await;
}

async fn metrics(app: &TestApp, seller: &Person) -> Value {
    app.settle().await;
    app.get("/api/seller/dashboard/metrics").token(&seller.token).send().await.expect(200)
}

#[actix_web::test]
async fn an_order_refunded_in_full_before_anything_left_is_cancelled() {
    let app = TestApp::spawn().await;
    let (seller, asha, lamp, order) = ordered(&app).await;
    let admin = app.admin().await;
    let payment = app.pay(&asha, &order).await;
    assert_eq!(metrics(&app, &seller).await["sales"], 20);
    let path = format!("/api/payments/{}/refunds", id(&payment));
    app.post(&path).token(&admin.token).send().await.expect(201);
    let now = app.order_now(&asha, &order).await;
    let last = now["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&now["status"], &last["status"], &last["reason"]),
        (&json!("CANCELLED"), &last["status"], &json!("refunded"))
    );
    assert_eq!(now["refundedPrice"], now["totalPrice"]);
    assert_eq!(app.stock(&lamp).await, (30, 0, 30));
    for who in [&seller, &admin] {
        let ship = format!("/api/orders/{}/ship", id(&order));
        app.post(&ship).token(&who.token).send().await.refused(409, "order.wrong_state");
    }
    let told = metrics(&app, &seller).await;
    assert_eq!((&told["sales"], &told["revenue"], &told["topProducts"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(told["ordersByStatus"], json!({"CANCELLED": 1}));
    assert_eq!(app.payment_of(&asha, &order).await["refunds"].as_array().unwrap().len(), 1, "the money went back once");
    assert_eq!(
        (app.mails_that_begin(&asha, "Refund").await, app.mails_that_begin(&asha, "Order cancelled").await),
        (1, 1)
    );
    app.shutdown().await;
}

#[actix_web::test]
async fn what_was_refunded_of_an_order_that_left_is_no_revenue() {
    let app = TestApp::spawn().await;
    let (seller, asha, lamp, order) = ordered(&app).await;
    let admin = app.admin().await;
    let payment = app.pay(&asha, &order).await;
    let ship = format!("/api/orders/{}/ship", id(&order));
    app.post(&ship).token(&seller.token).send().await.expect(200);
    let path = format!("/api/payments/{}/refunds", id(&payment));
    // Half of 270: of 200 for the lamps, 20 of tax and 50 of shipping.
    let half = json!({"amount": {"amount": 135}});
    app.post(&path).token(&admin.token).json(&half).send().await.expect(201);
    let told = metrics(&app, &seller).await;
    assert_eq!((&told["sales"], &told["revenue"]), (&json!(10), &json!([money(100.0)])));
    assert_eq!(told["topProducts"][0]["sold"], 10);
    app.post(&path).token(&admin.token).send().await.expect(201);
    let told = metrics(&app, &seller).await;
    assert_eq!((&told["sales"], &told["revenue"], &told["daily"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(app.order_now(&asha, &order).await["status"], "SHIPPED", "it has left");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    let deliver = format!("/api/orders/{}/deliver", id(&order));
    app.post(&deliver).token(&seller.token).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn shipping_and_a_full_refund_at_once_never_both_happen() {
    let app = TestApp::spawn().await;
    let (seller, admin) = (app.seller("mira").await, app.admin().await);
    let lamp = app.product(&seller, "Lamp", 10.0, 100).await;
    for _ in 0..8 {
        let asha = app.user(&format!("asha{}", microbazaar::domain::ids::UserId::generate())).await;
        let order = app.order(&asha, &lamp, 1).await;
        let payment = app.pay(&asha, &order).await;
        let (refund, ship) =
            (format!("/api/payments/{}/refunds", id(&payment)), format!("/api/orders/{}/ship", id(&order)));
        let (refunded, shipped) =
            tokio::join!(app.post(&refund).token(&admin.token).send(), app.post(&ship).token(&seller.token).send());
        refunded.expect(201);
        let status = if shipped.status == 200 { "SHIPPED" } else { "CANCELLED" };
        assert_eq!(app.order_now(&asha, &order).await["status"], status);
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_cancels_anybodys_order() {
    let app = TestApp::spawn().await;
    let (seller, asha, lamp, order) = ordered(&app).await;
    let admin = app.admin().await;
    app.pay(&asha, &order).await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    app.post(&path).token(&seller.token).send().await.expect(403);
    let body = json!({"reason": "fraud"});
    let cancelled = app.post(&path).token(&admin.token).json(&body).send().await.expect(200)["order"].clone();
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["timeline"].as_array().unwrap().last().unwrap()["reason"], "fraud");
    assert_eq!(app.stock(&lamp).await, (30, 0, 30));
    let token = &asha.token;
    let paid = format!("/api/payments/order/{}", id(&order));
    app.until("the refund", token, &paid, |answer| answer["payment"]["status"] == "REFUNDED").await;
    app.post(&path).token(&admin.token).json(&body).send().await.expect(409);
    let unpaid = app.order(&asha, &lamp, 1).await;
    app.post(&format!("/api/orders/{}/cancel", id(&unpaid))).token(&admin.token).send().await.expect(200);
    assert_eq!(app.stock(&lamp).await, (30, 0, 30));
    app.shutdown().await;
}
