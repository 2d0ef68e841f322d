//! Payments: opening, paying, verifying, webhooks.

use futures_util::future::{join, join_all};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use test_support::{HEX, altered_once};

use super::{Answer, Person, Shop, WEBHOOK_SECRET, id, is_moment, money, text};

/// A shop with a seller, a buyer and an order of 20 units at 10.
pub async fn ordered(app: &Shop) -> (Person, Person, String, Value) {
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 30).await;
    let order = app.order(&asha, &lamp, 20).await;
    (seller, asha, lamp, order)
}

/// Sends a webhook with the gateway's signature.
pub async fn webhook(app: &Shop, path: &str, event_id: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let call = app.post(path).header("x-razorpay-signature", &signature).header("x-razorpay-event-id", event_id);
    call.raw("application/json", body).send().await
}

/// The gateway's webhook about a payment of 270 rupees.
pub fn report(event: &str, razorpay_order: &str, payment: &str) -> Value {
    let entity = json!({
        "id": payment, "order_id": razorpay_order, "amount": 27_000, "currency": "INR",
        "error_description": "the bank said no",
    });
    json!({"event": event, "payload": {"payment": {"entity": entity}}})
}

#[actix_web::test]
async fn a_payment_in_the_sandbox_confirms_the_order() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let first = app.open_payment(&asha, &order).await.expect(201);
    assert_eq!((&first["amount"], &first["currency"]), (&json!(27_000), &json!("INR")));
    assert!(first["keyId"].as_str().is_some_and(|key| !key.is_empty()));
    let payment = &first["payment"];
    id(payment);
    for (field, value) in [
        ("order", order["_id"].clone()),
        ("user", json!(asha.id)),
        ("razorpayOrderId", first["razorpayOrderId"].clone()),
        ("status", json!("PENDING")),
        ("price", money(270.0)),
        ("refunds", json!([])),
    ] {
        assert_eq!(payment[field], value);
    }
    assert!(is_moment(&payment["createdAt"]) && is_moment(&payment["updatedAt"]));
    assert!(payment.get("paymentId").is_none());
    assert_eq!(app.open_payment(&asha, &order).await.expect(200), first, "the same again");

    let razorpay_order = text(&first["razorpayOrderId"]);
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    assert_eq!(checkout["razorpay_order_id"], razorpay_order.as_str());
    assert_eq!(app.order_now(&asha, &order).await["status"], "PENDING", "it is not verified yet");
    for _ in 0..2 {
        let verified = app.verify(&asha, &checkout).await.expect(200);
        assert_eq!(verified["message"], "Payment verified");
        assert_eq!(verified["payment"]["status"], "SUCCESSFUL");
        assert_eq!(verified["payment"]["paymentId"], checkout["razorpay_payment_id"]);
    }
    let other_names = json!({
        "razorpayOrderId": checkout["razorpay_order_id"], "paymentId": checkout["razorpay_payment_id"],
        "signature": checkout["razorpay_signature"],
    });
    app.verify(&asha, &other_names).await.expect(200);
    let confirmed = app.order_now(&asha, &order).await;
    assert_eq!(confirmed["status"], "CONFIRMED");
    assert_eq!(confirmed["payment"]["_id"], payment["_id"]);
    assert_eq!(app.stock(&lamp).await, (10, 0, 10), "sold");
    app.open_payment(&asha, &order).await.refused(409, "payment.not_payable");
    app.sandbox(&asha, &razorpay_order, "failure").await.expect(409);
    assert_eq!(app.payment_of(&asha, &order).await["status"], "SUCCESSFUL");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_bad_signature_changes_nothing() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    for bad in ["", "00", "nonsense", &"0".repeat(64)] {
        let mut forged = checkout.clone();
        forged["razorpay_signature"] = json!(bad);
        let refused = app.verify(&asha, &forged).await.refused(400, "payment.bad_signature");
        assert_eq!(refused["message"], "Invalid signature");
    }
    let signature = text(&checkout["razorpay_signature"]);
    for nearly in altered_once(&signature, HEX) {
        let mut forged = checkout.clone();
        forged["razorpay_signature"] = json!(nearly);
        app.verify(&asha, &forged).await.refused(400, "payment.bad_signature");
    }
    let mut forged = checkout.clone();
    forged["razorpay_payment_id"] = json!("pay_other");
    app.verify(&asha, &forged).await.expect(400);
    assert_eq!(app.payment_of(&asha, &order).await, opened["payment"]);
    assert_eq!(app.order_now(&asha, &order).await, order);
    assert_eq!(app.stock(&lamp).await, (30, 20, 10));
    for field in ["razorpay_order_id", "razorpay_payment_id", "razorpay_signature"] {
        let mut part = checkout.clone();
        part.as_object_mut().unwrap().remove(field);
        app.verify(&asha, &part).await.invalid(field);
    }
    let mut unknown = checkout.clone();
    unknown["razorpay_order_id"] = json!("order_unknown");
    app.verify(&asha, &unknown).await.expect(404);
    app.verify(&asha, &checkout).await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_payment_belongs_to_its_buyer() {
    let app = Shop::open().await;
    let (seller, asha, _, order) = ordered(&app).await;
    let (other, admin) = (app.user("ravi").await, app.admin().await);
    let unopened = format!("/api/payments/order/{}", id(&order));
    app.get(&unopened).token(&asha.token).send().await.expect(404);
    app.open_payment(&other, &order).await.expect(403);
    app.open_payment(&seller, &order).await.expect(403);
    app.open_payment(&asha, &json!({"_id": "665f1f77bcf86cd799439011"})).await.expect(404);
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let razorpay_order = text(&opened["razorpayOrderId"]);
    app.sandbox(&other, &razorpay_order, "success").await.expect(403);
    app.sandbox(&asha, "order_unknown", "success").await.expect(404);
    app.sandbox(&asha, &razorpay_order, "maybe").await.invalid("outcome");
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    app.verify(&other, &checkout).await.expect(403);
    app.verify(&seller, &checkout).await.expect(403);
    app.post("/api/payments/verify").json(&checkout).send().await.expect(401);
    app.post(&format!("/api/payments/create/{}", id(&order))).send().await.expect(401);
    app.post(&format!("/sandbox/payments/{razorpay_order}"))
        .json(&json!({"outcome": "success"}))
        .send()
        .await
        .expect(401);
    app.get(&unopened).token(&other.token).send().await.expect(403);
    app.get(&unopened).send().await.expect(401);
    assert_eq!(app.payment_of(&admin, &order).await["_id"], opened["payment"]["_id"]);
    app.shutdown().await;
}

#[actix_web::test]
async fn whichever_of_webhook_and_verify_comes_first_confirms() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let razorpay_order = text(&opened["razorpayOrderId"]);
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    let body = report("payment.captured", &razorpay_order, checkout["razorpay_payment_id"].as_str().unwrap());
    for event in ["evt_1", "evt_1", "evt_2"] {
        webhook(&app, "/api/payments/webhook", event, &body).await.expect(200);
        assert_eq!(app.order_now(&asha, &order).await["status"], "CONFIRMED");
    }
    let verified = app.verify(&asha, &checkout).await.expect(200);
    assert_eq!(verified["payment"]["status"], "SUCCESSFUL");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10), "sold once");
    webhook(&app, "/api/payment/webhook", "evt_3", &body).await.expect(200);
    assert_eq!(app.mails_that_begin(&asha, "Payment received").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_webhook_needs_a_valid_signature() {
    let app = Shop::open().await;
    let (_, asha, _, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let body = report("payment.captured", opened["razorpayOrderId"].as_str().unwrap(), "pay_1").to_string();
    for signature in ["", "00", "nonsense"] {
        let call = app.post("/api/payments/webhook").header("x-razorpay-signature", signature);
        call.raw("application/json", body.clone()).send().await.expect(400);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    for nearly in altered_once(&hex::encode(mac.finalize().into_bytes()), HEX) {
        let call = app.post("/api/payments/webhook").header("x-razorpay-signature", &nearly);
        call.raw("application/json", body.clone()).send().await.refused(400, "payment.bad_signature");
    }
    app.post("/api/payments/webhook").raw("application/json", body.clone()).send().await.expect(400);
    app.post("/api/payments/webhook").send().await.expect(400);
    assert_eq!(app.payment_of(&asha, &order).await["status"], "PENDING");
    for (event, body) in [
        ("evt_1", json!({"event": "refund.processed"})),
        ("evt_2", json!({"event": "payment.captured", "payload": {}})),
        ("evt_3", report("payment.captured", "order_unknown", "pay_1")),
        ("evt_4", report("payment.authorized", opened["razorpayOrderId"].as_str().unwrap(), "pay_1")),
    ] {
        webhook(&app, "/api/payments/webhook", event, &body).await.expect(200);
        assert_eq!(app.payment_of(&asha, &order).await["status"], "PENDING", "only captured is money");
    }
    webhook(&app, "/api/payments/webhook", "evt_5", &json!("nonsense")).await.expect(400);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_report_counts_only_if_the_sandbox_agrees() {
    let app = Shop::open().await;
    let (_, asha, _, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let razorpay_order = text(&opened["razorpayOrderId"]);
    let entity = |body: &mut Value, field: &str, value: Value| body["payload"]["payment"]["entity"][field] = value;
    // It was not paid.
    for (event, status) in [("payment.captured", "captured"), ("order.paid", "captured"), ("order.paid", "paid")] {
        let mut body = report(event, &razorpay_order, "pay_1");
        entity(&mut body, "status", json!(status));
        webhook(&app, "/api/payments/webhook", &format!("evt_{event}_{status}"), &body).await.expect(200);
        assert_eq!(app.payment_of(&asha, &order).await["status"], "PENDING", "{event} {status}");
    }
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    let payment = text(&checkout["razorpay_payment_id"]);
    for (n, (field, value)) in [
        ("status", json!("failed")),
        ("status", json!("authorized")),
        ("amount", json!(26_999)),
        ("currency", json!("USD")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = report("payment.captured", &razorpay_order, &payment);
        entity(&mut body, field, value.clone());
        webhook(&app, "/api/payments/webhook", &format!("evt_{n}"), &body).await.expect(200);
        assert_eq!(app.payment_of(&asha, &order).await["status"], "PENDING", "{field} {value}");
        assert_eq!(app.order_now(&asha, &order).await["status"], "PENDING", "{field} {value}");
    }
    let mut body = report("payment.captured", &razorpay_order, &payment);
    entity(&mut body, "status", json!("captured"));
    webhook(&app, "/api/payments/webhook", "evt_good", &body).await.expect(200);
    assert_eq!(app.order_now(&asha, &order).await["status"], "CONFIRMED");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_failed_payment_can_be_tried_again() {
    let app = Shop::open().await;
    let (_, asha, _, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let razorpay_order = text(&opened["razorpayOrderId"]);
    let checkout = app.sandbox(&asha, &razorpay_order, "failure").await.expect(200);
    for field in ["razorpay_order_id", "razorpay_payment_id", "razorpay_signature"] {
        assert!(checkout[field].is_string(), "{checkout}");
    }
    assert_eq!(app.payment_of(&asha, &order).await["status"], "FAILED");
    assert_eq!(app.order_now(&asha, &order).await["status"], "PENDING");
    app.verify(&asha, &checkout).await.expect(400);
    let again = app.open_payment(&asha, &order).await.expect(200);
    assert_eq!(again["razorpayOrderId"], razorpay_order.as_str(), "the same gateway order");
    let body = report("payment.failed", &razorpay_order, "pay_0");
    webhook(&app, "/api/payments/webhook", "evt_1", &body).await.expect(200);
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    assert_eq!(app.verify(&asha, &checkout).await.expect(200)["payment"]["status"], "SUCCESSFUL");
    assert_eq!(app.order_now(&asha, &order).await["status"], "CONFIRMED");
    webhook(&app, "/api/payments/webhook", "evt_2", &body).await.expect(200);
    assert_eq!(app.payment_of(&asha, &order).await["status"], "SUCCESSFUL", "states only move forward");
    assert_eq!(app.mails_that_begin(&asha, "Payment failed").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn the_second_prefix_works_as_well() {
    let app = Shop::open().await;
    let (_, asha, _, order) = ordered(&app).await;
    let admin = app.admin().await;
    let order_id = id(&order);
    let opened = app.post(&format!("/api/payment/create/{order_id}")).token(&asha.token).send().await.expect(201);
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    app.post("/api/payment/verify").token(&asha.token).json(&checkout).send().await.expect(200);
    let shown = app.get(&format!("/api/payment/order/{order_id}")).token(&asha.token).send().await.expect(200);
    let path = format!("/api/payment/{}/refunds", id(&shown["payment"]));
    app.post(&path).token(&admin.token).send().await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn many_calls_at_once_open_one_payment() {
    let app = Shop::open().await;
    let (_, asha, _, order) = ordered(&app).await;
    let answers = join_all((0..8).map(|_| app.open_payment(&asha, &order))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let first = answers[0].json()["razorpayOrderId"].clone();
    for answer in &answers {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.json()["razorpayOrderId"], first);
    }
    assert_eq!(app.mails_that_begin(&asha, "Payment initiated").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn reports_and_verifies_at_once_confirm_once() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let razorpay_order = text(&opened["razorpayOrderId"]);
    let checkout = app.sandbox(&asha, &razorpay_order, "success").await.expect(200);
    let body = report("payment.captured", &razorpay_order, checkout["razorpay_payment_id"].as_str().unwrap());
    let verify = async |_| app.verify(&asha, &checkout).await.expect(200);
    let report = async |n: u32| webhook(&app, "/api/payments/webhook", &format!("evt_{n}"), &body).await.expect(200);
    join(join_all((0..4).map(verify)), join_all((0..4).map(report))).await;
    assert_eq!(app.payment_of(&asha, &order).await["status"], "SUCCESSFUL");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    assert_eq!(app.mails_that_begin(&asha, "Payment received").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_payment_continues_after_a_restart() {
    let app = Shop::open().await;
    let (_, asha, lamp, order) = ordered(&app).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    let app = app.restart().await;
    assert_eq!(app.open_payment(&asha, &order).await.expect(200), opened);
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    let app = app.restart().await;
    app.verify(&asha, &checkout).await.expect(200);
    assert_eq!(app.order_now(&asha, &order).await["status"], "CONFIRMED");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_sandbox_has_a_limit_too() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let palace = app.product(&seller, "Palace", 30_000_000.0, 3).await;
    let order = app.order(&asha, &palace, 2).await;
    let refused = app.open_payment(&asha, &order).await.refused(409, "payment.refused");
    assert!(text(&refused["message"]).contains("maximum amount"), "{refused}");
    assert_eq!(app.order_now(&asha, &order).await["status"], "CANCELLED");
    assert_eq!(app.stock(&palace).await, (3, 0, 3));
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(
        (&cart["cart"]["items"][0]["productId"], &cart["cart"]["items"][0]["quantity"]),
        (&json!(palace), &json!(2))
    );
    let other = app.user("ravi").await;
    let one = app.order(&other, &palace, 1).await;
    app.pay(&other, &one).await;
    app.shutdown().await;
}
