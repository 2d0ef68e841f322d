//! Shipping and delivery of orders.

use serde_json::{Value, json};

use super::{Answer, Person, Shop, address, id};

async fn act(app: &Shop, who: &Person, order: &Value, what: &str, body: Value) -> Answer {
    app.post(&format!("/api/orders/{}/{what}", id(order))).token(&who.token).json(&body).send().await
}

#[actix_web::test]
async fn each_seller_ships_and_delivers_their_lines() {
    let app = Shop::open().await;
    let (mira, ravi, asha) = (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await);
    let (lamp, cup) = (app.product(&mira, "Lamp", 10.0, 5).await, app.product(&ravi, "Cup", 5.0, 5).await);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let order = app.order(&asha, &cup, 1).await;
    act(&app, &mira, &order, "ship", json!({})).await.expect(409);
    app.pay(&asha, &order).await;
    act(&app, &mira, &order, "deliver", json!({})).await.expect(409);
    let long = json!({"trackingNumber": "a".repeat(201)});
    act(&app, &mira, &order, "ship", long).await.invalid("trackingNumber");

    let half = act(&app, &mira, &order, "ship", json!({"trackingNumber": "AWB-1"})).await.expect(200);
    assert_eq!(half["order"]["status"], "CONFIRMED");
    let mine = half["order"]["items"].as_array().unwrap().iter().find(|item| item["seller"] == mira.id.as_str());
    assert_eq!(mine.unwrap()["trackingNumber"], "AWB-1");
    act(&app, &ravi, &order, "deliver", json!({})).await.expect(409);
    let cancel = act(&app, &asha, &order, "cancel", json!({})).await;
    assert_eq!(cancel.status, 409, "a part of it is on its way");
    let whole = act(&app, &ravi, &order, "ship", json!({})).await.expect(200);
    assert_eq!(whole["order"]["status"], "SHIPPED");
    assert_eq!(app.mails_that_begin(&asha, "Order shipped").await, 2, "one of each seller's lines");
    let mails = app.mails(&asha).await;
    let shipped: Vec<&String> =
        mails.iter().filter(|mail| mail.0.starts_with("Order shipped")).map(|mail| &mail.1).collect();
    assert!(shipped.iter().any(|text| text.contains("AWB-1") && !text.contains("Cup")), "{shipped:?}");
    assert!(shipped.iter().any(|text| text.contains("1 x Cup")), "{shipped:?}");
    act(&app, &asha, &order, "cancel", json!({})).await.expect(409);
    let path = format!("/api/orders/{}/address", id(&order));
    let body = json!({"shippingAddress": address("Goa")});
    app.patch(&path).token(&asha.token).json(&body).send().await.expect(409);

    let half = act(&app, &mira, &order, "deliver", json!({})).await.expect(200);
    assert_eq!(half["order"]["status"], "SHIPPED");
    let whole = act(&app, &ravi, &order, "deliver", json!({})).await.expect(200);
    assert_eq!(whole["order"]["status"], "DELIVERED");
    let order = app.order_now(&asha, &order).await;
    let states: Vec<&str> =
        order["timeline"].as_array().unwrap().iter().map(|entry| entry["status"].as_str().unwrap()).collect();
    // The status stays while only one seller's lines are ahead; the timeline shows them.
    assert_eq!(states, ["PENDING", "CONFIRMED", "CONFIRMED", "SHIPPED", "SHIPPED", "DELIVERED"]);
    for (at, reason, shipment) in [(2, "Lamp shipped", "shipped"), (4, "Lamp delivered", "delivered")] {
        let entry = &order["timeline"][at];
        assert_eq!(entry["reason"], reason);
        assert_eq!(entry["part"], json!({"seller": mira.id, "shipment": shipment}));
    }
    assert_eq!(app.mails_that_begin(&asha, "Order delivered").await, 2);
    for (who, parts) in [(&mira, 2), (&ravi, 0)] {
        let seen = app.order_now(who, &order).await;
        let output = seen["timeline"].as_array().unwrap().iter().filter(|entry| entry.get("part").is_some());
        assert_eq!(output.count(), parts, "a seller sees nothing of another's parcels");
    }
    act(&app, &mira, &order, "ship", json!({})).await.expect(409);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_ships_every_line() {
    let app = Shop::open().await;
    let (mira, admin, asha) = (app.seller("mira").await, app.admin().await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 5).await;
    let order = app.order(&asha, &lamp, 1).await;
    app.pay(&asha, &order).await;
    for (what, status) in [("ship", "SHIPPED"), ("deliver", "DELIVERED")] {
        let path = format!("/api/orders/{}/{what}", id(&order));
        let done = app.post(&path).token(&admin.token).send().await.expect(200);
        assert_eq!(done["order"]["status"], status, "without a body");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_without_an_address_waits_for_one() {
    let app = Shop::open().await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 5).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let order = app.place_order(&asha, &json!({})).await.expect(201)["order"].clone();
    app.pay(&asha, &order).await;
    act(&app, &mira, &order, "ship", json!({})).await.refused(409, "order.no_address");
    let set = async |body: Value| {
        app.patch(&format!("/api/orders/{}/address", id(&order))).token(&asha.token).json(&body).send().await
    };
    set(json!({})).await.invalid("shippingAddress");
    set(json!({"shippingAddress": {"street": "x"}})).await.expect(422);
    let changed = set(json!({"shippingAddress": address("Goa")})).await.expect(200);
    assert_eq!(changed["order"]["shippingAddress"], address("Goa"));
    act(&app, &mira, &order, "ship", json!({})).await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn each_seller_gets_one_mail_with_the_recipient() {
    let app = Shop::open().await;
    let (mira, ravi, asha) = (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await);
    let (lamp, cup) = (app.product(&mira, "Lamp", 10.0, 5).await, app.product(&ravi, "Cup", 5.0, 5).await);
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let order = app.order(&asha, &cup, 1).await;
    assert_eq!(app.mails_that_begin(&mira, "New order").await, 0, "it is not paid");
    let payment = app.pay(&asha, &order).await;
    // The same payment again is not another sale.
    let again =
        json!({"razorpay_order_id": payment["razorpayOrderId"], "razorpay_payment_id": "x", "razorpay_signature": "x"});
    app.verify(&asha, &again).await.expect(400);
    for (who, own, other) in [(&mira, "2 x Lamp", "Cup"), (&ravi, "1 x Cup", "Lamp")] {
        let mails = app.mails(who).await;
        let output: Vec<_> = mails.iter().filter(|mail| mail.0.starts_with("New order")).collect();
        assert_eq!(output.len(), 1);
        let (subject, text, html) = output[0];
        assert!(subject.contains(&id(&order)));
        assert!(text.contains(own) && text.contains("Asha Rao") && text.contains("12 Lake Road"), "{text}");
        assert!(!text.contains(other) && !text.contains(&asha.email) && !html.contains(&asha.email), "{text}");
    }
    app.shutdown().await;
}
