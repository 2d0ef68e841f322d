//! Refunds, by an admin.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use futures_util::future::join_all;
use microbazaar::{
    app::{Storage, ledger_check},
    config::Config,
    domain::{
        Timestamp,
        ids::{OrderId, RefundId},
        money::{Currency, Money},
        order::TimelineEntry,
    },
    store::{
        mongo::{MongoOptions, MongoStore},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{DEADLINE, Person, Shop, id, money, payments::ordered};

#[actix_web::test]
async fn a_part_and_the_rest_are_refunded_and_no_more() {
    let app = Shop::open().await;
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
    let app = Shop::open().await;
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
async fn concurrent_refunds_never_exceed_the_payment() {
    let app = Shop::open().await;
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

async fn metrics(app: &Shop, seller: &Person) -> Value {
    app.settle().await;
    app.get("/api/seller/dashboard/metrics").token(&seller.token).send().await.expect(200)
}

#[actix_web::test]
async fn an_unshipped_order_refunded_in_full_is_cancelled() {
    let app = Shop::open().await;
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
    let output = metrics(&app, &seller).await;
    assert_eq!((&output["sales"], &output["revenue"], &output["topProducts"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(output["ordersByStatus"], json!({"CANCELLED": 1}));
    assert_eq!(app.payment_of(&asha, &order).await["refunds"].as_array().unwrap().len(), 1, "the money went back once");
    assert_eq!(
        (app.mails_that_begin(&asha, "Refund").await, app.mails_that_begin(&asha, "Order cancelled").await),
        (1, 1)
    );
    app.shutdown().await;
}

#[actix_web::test]
async fn refunds_of_a_shipped_order_reduce_the_revenue() {
    let app = Shop::open().await;
    let (seller, asha, lamp, order) = ordered(&app).await;
    let admin = app.admin().await;
    let payment = app.pay(&asha, &order).await;
    let ship = format!("/api/orders/{}/ship", id(&order));
    app.post(&ship).token(&seller.token).send().await.expect(200);
    let path = format!("/api/payments/{}/refunds", id(&payment));
    // Half of 270: of 200 for the lamps, 20 of tax and 50 of shipping.
    let half = json!({"amount": {"amount": 135}});
    app.post(&path).token(&admin.token).json(&half).send().await.expect(201);
    let output = metrics(&app, &seller).await;
    assert_eq!((&output["sales"], &output["revenue"]), (&json!(10), &json!([money(100.0)])));
    assert_eq!(output["topProducts"][0]["sold"], 10);
    app.post(&path).token(&admin.token).send().await.expect(201);
    let output = metrics(&app, &seller).await;
    assert_eq!((&output["sales"], &output["revenue"], &output["daily"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(app.order_now(&asha, &order).await["status"], "SHIPPED", "it has left");
    assert_eq!(app.stock(&lamp).await, (10, 0, 10));
    let deliver = format!("/api/orders/{}/deliver", id(&order));
    app.post(&deliver).token(&seller.token).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn shipping_and_a_full_refund_at_once_never_both_happen() {
    let app = Shop::open().await;
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
async fn an_admin_cancels_any_order() {
    let app = Shop::open().await;
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

/// A refund as earlier versions left it: the payment counts it as reported, and the order's timeline shows it, but
/// the order's refunded sum does not include it.
async fn refunded_by_an_earlier_version(config: &Config, order: &Value, minor: i64) {
    let storage = Storage::open(config, &config.data_dir, SqliteOptions::default()).await.unwrap();
    let (stores, now) = (storage.stores(), Timestamp::now());
    let mut order = stores.orders.get(id(order).parse::<OrderId>().unwrap()).await.unwrap().unwrap();
    let mut payment = stores.payments.of_order(order.id).await.unwrap().unwrap();
    let (refund, amount) = (RefundId::generate(), Money::new(minor, Currency::Inr));
    payment.start_refund(refund, Some(amount), None, None, now).unwrap();
    payment.refund_taken(refund, &format!("rfnd_{refund}"), now);
    payment.refund_processed(refund, now);
    payment.refund_noted(refund);
    payment.due_at = None;
    stores.payments.save(&payment, &[]).await.unwrap();
    let (status, reason) = (order.status, Some(format!("{amount} refunded")));
    order.timeline.push(TimelineEntry { status, at: now, reason, refund: Some(refund), part: None });
    stores.orders.save(&order, &[]).await.unwrap();
    drop(stores);
    storage.close().await.unwrap();
}

/// Resets the database to the state before orders were notified of those refunds.
async fn before_the_upgrade(config: &Config) {
    match &config.mongo.uri {
        Some(uri) => {
            let client = mongodb::Client::with_uri_str(uri.expose_secret()).await.unwrap();
            let auth = client.database(&format!("{}auth", config.mongo.database_prefix));
            let done = auth.collection::<Document>("upgrades").delete_one(doc! { "_id": "refunds" }).await.unwrap();
            assert_eq!(done.deleted_count, 1);
        }
        // The schema step's change of each payment; `upgrade` tests that step itself.
        None => {
            let storage = Storage::open(config, &config.data_dir, SqliteOptions::default()).await.unwrap();
            let payments = storage.stores().payments;
            for mut payment in payments.all(None, 100).await.unwrap() {
                payment.notify_refunds_again(Timestamp::now());
                payments.save(&payment, &[]).await.unwrap();
            }
            drop(payments);
            storage.close().await.unwrap();
        }
    }
}

/// Waits until the payments have notified their orders.
async fn until_no_payment_is_due(config: &Config) {
    let payments = match &config.mongo.uri {
        Some(uri) => {
            let options = MongoOptions::new(uri.clone(), config.mongo.database_prefix.clone());
            MongoStore::open(options).await.unwrap().stores().payments
        }
        None => SqliteStore::open_beside(&config.data_dir).unwrap().stores().payments,
    };
    let started = Instant::now();
    while !payments.due(Timestamp::MAX, 1).await.unwrap().is_empty() {
        assert!(started.elapsed() < DEADLINE, "in time: no payment is due");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn ledger_is_clean(config: &Config) -> anyhow::Result<()> {
    let config = config.clone();
    actix_web::web::block(move || ledger_check(&config)).await.unwrap()
}

#[actix_web::test]
async fn orders_get_the_refunds_of_an_earlier_version() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 60).await;
    let (mut orders, config) = (vec![], app.config.clone());
    for _ in 0..3 {
        let order = app.order(&asha, &lamp, 20).await;
        app.pay(&asha, &order).await;
        orders.push(order);
    }
    let [waiting, shipped, part] = &orders[..] else { unreachable!() };
    let ship = format!("/api/orders/{}/ship", id(shipped));
    app.post(&ship).token(&seller.token).send().await.expect(200);
    assert_eq!(metrics(&app, &seller).await["sales"], 60);
    let settings = app.end().await;
    for (order, minor) in [(waiting, 27_000), (shipped, 27_000), (part, 13_500)] {
        refunded_by_an_earlier_version(&config, order, minor).await;
    }
    let wrong = ledger_is_clean(&config).await.unwrap_err();
    assert!(wrong.to_string().contains("in 3 places"), "{wrong}");
    before_the_upgrade(&config).await;

    let app = Shop::over(config.clone(), settings).await;
    let path = format!("/api/orders/{}", id(waiting));
    app.until("its end", &asha.token, &path, |body| body["order"]["status"] == "CANCELLED").await;
    for (order, status, back) in
        [(waiting, "CANCELLED", 270.0), (shipped, "SHIPPED", 270.0), (part, "CONFIRMED", 135.0)]
    {
        let path = format!("/api/orders/{}", id(order));
        let output = |body: &Value| body["order"]["refundedPrice"] == money(back);
        let order = app.until("what went back", &asha.token, &path, output).await["order"].clone();
        let refunds = order["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["reason"].as_str().is_some_and(|reason| reason.contains(" refunded")));
        assert_eq!((&order["status"], refunds.count()), (&json!(status), 1), "{order}");
    }
    // The order shows its final status before its steps are done.
    let stock = format!("/api/inventory/{lamp}");
    app.until("what had not left is back", "", &stock, |body| body["available"] == 20).await;
    assert_eq!(app.stock(&lamp).await, (20, 0, 20));
    // Half of one order is kept.
    let output = metrics(&app, &seller).await;
    assert_eq!((&output["sales"], &output["revenue"]), (&json!(10), &json!([money(100.0)])));
    assert_eq!(output["ordersByStatus"], json!({"CANCELLED": 1, "CONFIRMED": 1, "SHIPPED": 1}));
    assert_eq!(app.mails_that_begin(&asha, "Order cancelled").await, 1);
    ledger_is_clean(&config).await.unwrap();

    // Another node that starts at the same time marks them again.
    let settings = app.end().await;
    before_the_upgrade(&config).await;
    let app = Shop::over(config.clone(), settings).await;
    until_no_payment_is_due(&config).await;
    app.settle().await;
    assert_eq!(app.stock(&lamp).await, (20, 0, 20), "once");
    assert_eq!(app.mails_that_begin(&asha, "Order cancelled").await, 1);
    assert_eq!(metrics(&app, &seller).await["sales"], 10);
    app.shutdown().await;
}
