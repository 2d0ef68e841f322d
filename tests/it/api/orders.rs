//! Orders: from a cart to a total, and access to them.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Shop, address, id, is_moment, money};

#[actix_web::test]
async fn an_order_has_the_carts_lines_tax_and_shipping() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let (lamp, cup) = (app.product(&seller, "Lamp", 499.5, 10).await, app.product(&seller, "Cup", 0.05, 5).await);
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    app.add_to_cart(&asha, &cup, 1).await.expect(200);
    // Prices in the request are ignored.
    let body = json!({"shippingAddress": address("Pune"), "totalPrice": 1, "items": [], "status": "CONFIRMED"});
    let order = app.place_order(&asha, &body).await.expect(201)["order"].clone();
    id(&order);
    assert_eq!((&order["user"], &order["status"]), (&json!(asha.id), &json!("PENDING")));
    assert_eq!(order["subtotal"], money(999.05));
    assert_eq!(order["taxPrice"], money(99.91), "rounded half up");
    assert_eq!(order["shippingPrice"], money(50.0));
    assert_eq!(order["totalPrice"], money(1148.96));
    assert_eq!(order["shippingAddress"], address("Pune"));
    assert_eq!(order["items"].as_array().unwrap().len(), 2);
    for (field, value) in [
        ("product", json!(lamp)),
        ("title", json!("Lamp")),
        ("seller", json!(seller.id)),
        ("quantity", json!(2)),
        ("price", money(499.5)),
    ] {
        assert_eq!(order["items"][0][field], value);
    }
    assert_eq!(order["timeline"][0]["status"], "PENDING");
    assert!(is_moment(&order["timeline"][0]["at"]) && is_moment(&order["createdAt"]) && is_moment(&order["updatedAt"]));
    assert!(order.get("payment").is_none());
    assert_eq!(app.order_now(&asha, &order).await, order);
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["cart"]["items"], json!([]), "what is ordered has left the cart");
    assert_eq!((app.stock(&lamp).await, app.stock(&cup).await), ((10, 2, 8), (5, 1, 4)));

    app.patch(&format!("/api/products/{lamp}"))
        .token(&seller.token)
        .json(&json!({"price": {"amount": 1}}))
        .send()
        .await
        .expect(200);
    assert_eq!(app.order_now(&asha, &order).await["totalPrice"], money(1148.96), "a price ordered stays");
    let app = app.restart().await;
    assert_eq!(app.order_now(&asha, &order).await, order);
    app.shutdown().await;
}

#[actix_web::test]
async fn tax_and_shipping_come_from_the_configuration() {
    let app = Shop::open_with(|config| {
        config.pricing.tax_basis_points = 1_825;
        config.pricing.shipping_flat_minor = 0;
    })
    .await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 99.99, 10).await;
    let order = app.order(&asha, &lamp, 1).await;
    assert_eq!((&order["taxPrice"], &order["shippingPrice"]), (&money(18.25), &money(0.0)));
    assert_eq!(order["totalPrice"], money(118.24));
    app.shutdown().await;
}

#[actix_web::test]
async fn an_empty_cart_is_reported_before_other_errors() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let bad = json!({"shippingAddress": {"street": ""}, "addressId": "nonsense"});
    app.place_order(&asha, &bad).await.refused(400, "order.empty_cart");
    app.post("/api/orders").token(&asha.token).send().await.refused(400, "order.empty_cart");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_goes_to_the_given_saved_or_default_address() {
    let app = Shop::open().await;
    let (seller, asha, other) = (app.seller("mira").await, app.user("asha").await, app.user("ravi").await);
    let lamp = app.product(&seller, "Lamp", 1.0, 50).await;
    let place = async |who: &super::Person, body: Value| {
        app.add_to_cart(who, &lamp, 1).await.expect(200);
        app.place_order(who, &body).await
    };
    assert_eq!(place(&asha, json!({})).await.expect(201)["order"]["shippingAddress"], Value::Null);
    let keep = |who: &super::Person, city: &str| {
        app.post("/api/auth/users/me/addresses").token(&who.token).json(&address(city)).send()
    };
    keep(&asha, "Pune").await.expect(201);
    let kept = keep(&asha, "Goa").await.expect(201);
    let foreign = keep(&other, "Delhi").await.expect(201);
    let goa = id(&kept["addresses"][1]);
    assert_eq!(place(&asha, json!({})).await.expect(201)["order"]["shippingAddress"], address("Pune"));
    let to_goa = place(&asha, json!({"addressId": goa})).await.expect(201);
    assert_eq!(to_goa["order"]["shippingAddress"], address("Goa"));
    for bad in [
        json!({"addressId": "nonsense"}),
        json!({"addressId": id(&foreign["addresses"][0])}),
        json!({"shippingAddress": {"street": "x"}}),
        json!({"shippingAddress": {}}),
    ] {
        place(&asha, bad).await.expect(422);
    }
    let mut long = address("Pune");
    long["zip"] = json!("9".repeat(201));
    let refused = place(&asha, json!({"shippingAddress": long})).await.expect(422);
    assert_eq!(refused["errors"][0]["path"], "shippingAddress.zip");
    place(&asha, json!({"shippingAddress": "Pune"})).await.invalid("shippingAddress");
    let (on_hand, reserved, _) = app.stock(&lamp).await;
    assert_eq!((on_hand, reserved), (50, 3), "a refusal holds nothing");
    app.shutdown().await;
}

#[actix_web::test]
async fn missing_stock_is_listed_and_nothing_is_reserved() {
    let app = Shop::open().await;
    let (seller, asha, other) = (app.seller("mira").await, app.stranger(), app.stranger());
    let (lamp, cup) = (app.product(&seller, "Lamp", 1.0, 5).await, app.product(&seller, "Cup", 1.0, 5).await);
    app.add_to_cart(&asha, &lamp, 4).await.expect(200);
    app.add_to_cart(&asha, &cup, 4).await.expect(200);
    app.order(&other, &cup, 3).await;
    let refused = app.place_order(&asha, &json!({})).await.refused(409, "order.insufficient_stock");
    assert_eq!(refused["items"].as_array().unwrap().len(), 1);
    let short = &refused["items"][0];
    assert_eq!((&short["productId"], &short["requested"], &short["available"]), (&json!(cup), &json!(4), &json!(2)));
    assert_eq!(app.stock(&lamp).await, (5, 0, 5));
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["totals"]["totalQuantity"], 8, "the cart is as it was");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cart_ordered_twice_at_once_makes_one_order() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 1.0, 50).await;
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let body = json!({});
    let answers = join_all((0..8).map(|_| app.place_order(&asha, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        refused.refused(400, "order.empty_cart");
    }
    assert_eq!(app.stock(&lamp).await, (50, 2, 48));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_key_gives_the_same_order_again() {
    let app = Shop::open().await;
    let (seller, asha, other) = (app.seller("mira").await, app.stranger(), app.stranger());
    let lamp = app.product(&seller, "Lamp", 1.0, 50).await;
    let place = async |app: &Shop, token: &str, key: &str, body: Value| {
        app.post("/api/orders").token(token).header("idempotency-key", key).json(&body).send().await
    };
    let body = json!({"shippingAddress": address("Pune")});
    // A refusal frees the key.
    place(&app, &asha.token, "key-1", body.clone()).await.refused(400, "order.empty_cart");
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let first = place(&app, &asha.token, "key-1", body.clone()).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let order = first.expect(201);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let again = place(&app, &asha.token, "key-1", body.clone()).await;
    assert_eq!(again.expect(201)["order"]["_id"], order["order"]["_id"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    place(&app, &asha.token, "key-1", json!({"shippingAddress": address("Goa")}))
        .await
        .refused(422, "idempotency.key_reused");
    place(&app, &asha.token, "", body.clone()).await.invalid("Idempotency-Key");
    place(&app, &asha.token, &"k".repeat(256), body.clone()).await.invalid("Idempotency-Key");
    app.add_to_cart(&other, &lamp, 1).await.expect(200);
    let others = place(&app, &other.token, "key-1", body.clone()).await.expect(201);
    assert_ne!(others["order"]["_id"], order["order"]["_id"], "a key is one user's");
    let app = app.restart().await;
    let later = place(&app, &asha.token, "key-1", body).await;
    assert_eq!(later.expect(201)["order"]["_id"], order["order"]["_id"]);
    assert_eq!(later.header("idempotent-replayed"), Some("true"));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_key_used_concurrently_makes_one_order() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 1.0, 50).await;
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let place = || app.post("/api/orders").token(&asha.token).header("idempotency-key", "k").json(&json!({})).send();
    let answers = join_all((0..8).map(|_| place())).await;
    let mut orders: Vec<String> = vec![];
    for answer in &answers {
        assert!([201, 409].contains(&answer.status), "{answer:?}");
        if answer.status == 201 {
            orders.push(id(&answer.json()["order"]));
        }
    }
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 1);
    let fresh = |answer: &&super::Answer| answer.status == 201 && answer.header("idempotent-replayed").is_none();
    assert_eq!(answers.iter().filter(fresh).count(), 1);
    assert_eq!(app.stock(&lamp).await, (50, 2, 48));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_user_pages_through_their_orders() {
    let app = Shop::open().await;
    let (seller, asha, other) = (app.seller("mira").await, app.stranger(), app.stranger());
    let lamp = app.product(&seller, "Lamp", 1.0, 50).await;
    app.order(&other, &lamp, 1).await;
    let mut made = vec![];
    for _ in 0..3 {
        made.insert(0, id(&app.order(&asha, &lamp, 1).await));
    }
    let cancel = format!("/api/orders/{}/cancel", made[1]);
    app.post(&cancel).token(&asha.token).send().await.expect(200);
    let mine = async |query: &str| app.get(&format!("/api/orders/me?{query}")).token(&asha.token).send().await;
    let ids = |body: &Value| body["orders"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    let all = mine("").await.expect(200);
    assert_eq!(ids(&all), made, "newest first");
    assert_eq!(all["pagination"], json!({"page": 1, "limit": 20, "total": 3, "totalPages": 1}));
    let second = mine("page=2&limit=2").await.expect(200);
    assert_eq!(ids(&second), made[2..]);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 2, "total": 3, "totalPages": 2}));
    assert_eq!(ids(&mine("status=CANCELLED").await.expect(200)), made[1..2]);
    assert_eq!(mine("status=PENDING").await.expect(200)["pagination"]["total"], 2);
    mine("status=pending").await.invalid("status");
    mine("status=LOST").await.invalid("status");
    app.get("/api/orders/me").send().await.expect(401);
    app.get("/api/orders/me").token(&seller.token).send().await.expect(403);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_is_shown_to_its_user_its_sellers_and_admins() {
    let app = Shop::open().await;
    let (mira, ravi, admin) = (app.seller("mira").await, app.seller("ravi").await, app.admin().await);
    let (asha, other) = (app.stranger(), app.stranger());
    let lamp = app.product(&mira, "Lamp", 1.0, 50).await;
    let order = app.order(&asha, &lamp, 1).await;
    let path = format!("/api/orders/{}", id(&order));
    for who in [&asha, &mira, &admin] {
        assert_eq!(app.order_now(who, &order).await["_id"], order["_id"]);
    }
    for who in [&other, &ravi] {
        app.get(&path).token(&who.token).send().await.expect(403);
    }
    app.get(&path).send().await.expect(401);
    let unknown = "/api/orders/665f1f77bcf86cd799439011";
    app.get(unknown).token(&asha.token).send().await.expect(404);
    for (method, end, who, status) in [
        (Method::POST, "/cancel", &other, 403),
        (Method::POST, "/cancel", &mira, 403),
        (Method::PATCH, "/address", &other, 403),
        (Method::PATCH, "/address", &admin, 403),
        (Method::POST, "/ship", &asha, 403),
        (Method::POST, "/ship", &ravi, 403),
        (Method::POST, "/deliver", &asha, 403),
        (Method::POST, "/deliver", &ravi, 403),
    ] {
        let body = json!({"shippingAddress": address("Goa")});
        app.call(method.clone(), &format!("{path}{end}")).token(&who.token).json(&body).send().await.expect(status);
        app.call(method.clone(), &format!("{path}{end}")).json(&body).send().await.expect(401);
        let allowed = if end == "/cancel" || end == "/address" { &asha } else { &mira };
        app.call(method, &format!("{unknown}{end}")).token(&allowed.token).json(&body).send().await.expect(404);
    }
    for who in [&mira, &admin] {
        app.post("/api/orders").token(&who.token).json(&json!({})).send().await.expect(403);
    }
    app.post("/api/orders").json(&json!({})).send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cancelled_order_gives_its_stock_back() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let order = app.order(&asha, &lamp, 2).await;
    let path = format!("/api/orders/{}/cancel", id(&order));
    let long = json!({"reason": "a".repeat(1_001)});
    app.post(&path).token(&asha.token).json(&long).send().await.invalid("reason");
    let body = json!({"reason": "<i>twice</i>"});
    let cancelled = app.post(&path).token(&asha.token).json(&body).send().await.expect(200);
    assert_eq!(cancelled["order"]["status"], "CANCELLED");
    let timeline = cancelled["order"]["timeline"].as_array().unwrap();
    let last = timeline.last().unwrap();
    assert_eq!((&last["status"], &last["reason"]), (&json!("CANCELLED"), &json!("<i>twice</i>")));
    assert_eq!(app.stock(&lamp).await, (5, 0, 5));
    app.post(&path).token(&asha.token).send().await.expect(409);
    app.open_payment(&asha, &order).await.refused(409, "payment.not_payable");
    let address_path = format!("/api/orders/{}/address", id(&order));
    let body = json!({"shippingAddress": address("Goa")});
    app.patch(&address_path).token(&asha.token).json(&body).send().await.expect(409);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_that_is_not_paid_in_time_expires() {
    let window = std::time::Duration::from_millis(500);
    let app = Shop::open_with(|config| config.order.payment_window = window).await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let order = app.order(&asha, &lamp, 2).await;
    let path = format!("/api/orders/{}", id(&order));
    let expired = app.until("the end", &asha.token, &path, |body| body["order"]["status"] == "CANCELLED").await;
    let last = expired["order"]["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["status"], &last["reason"]), (&json!("CANCELLED"), &json!("expired")));
    app.until("the stock", "", &format!("/api/inventory/{lamp}"), |level| level["available"] == 5).await;
    app.open_payment(&asha, &order).await.refused(409, "payment.not_payable");
    assert_eq!(app.mails_that_begin(&asha, "Order cancelled").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_at_another_total_than_expected_is_not_made() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 499.5, 10).await;
    app.place_order(&asha, &json!({"expectedTotal": money(1.0)})).await.refused(400, "order.empty_cart");
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let order = |total: Value| {
        let body = json!({"shippingAddress": address("Pune"), "expectedTotal": total});
        app.post("/api/orders").token(&asha.token).header("idempotency-key", "one").json(&body).send()
    };
    let usd = json!({"amount": 1148.9, "currency": "USD"});
    for other in [money(1148.89), money(1148.91), money(0.0), money(-1148.9), usd] {
        let refused = order(other).await.refused(409, "order.total_changed");
        let totals = json!({
            "subtotal": money(999.0), "taxPrice": money(99.9), "shippingPrice": money(50.0), "totalPrice": money(1148.9)
        });
        assert_eq!(refused["totals"], totals);
    }
    let at = |field: &str| vec![format!("expectedTotal{field}")];
    for (bad, path) in [
        (json!({"amount": "x", "currency": "INR"}), at(".amount")),
        (json!({"amount": 1.005, "currency": "INR"}), at(".amount")),
        (json!({"amount": 1, "currency": "EUR"}), at(".currency")),
        (json!({"currency": "INR"}), at(".amount")),
        (json!(5), at("")),
    ] {
        let refused = order(bad.clone()).await.expect(400);
        assert_eq!(json!([refused["errors"][0]["path"]]), json!(path), "{bad}");
    }
    assert_eq!(app.get("/api/orders/me").token(&asha.token).send().await.expect(200)["orders"], json!([]));
    assert_eq!(app.stock(&lamp).await, (10, 0, 10), "nothing is held");
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["cart"]["items"][0]["quantity"], 2, "the cart is as it was");
    // The key is free for another body, and then belongs to it.
    let made = order(money(1148.9)).await.expect(201)["order"].clone();
    assert_eq!(made["totalPrice"], money(1148.9));
    assert_eq!(id(&order(money(1148.9)).await.expect(201)["order"]), id(&made));
    order(money(1148.0)).await.refused(422, "idempotency.key_reused");
    app.shutdown().await;
}
