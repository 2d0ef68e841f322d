//! Refunds, by an admin.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{TestApp, id, money, payments::ordered};

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
    assert_eq!(app.stock(&lamp).await, (10, 0, 10), "goods are not money");
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
