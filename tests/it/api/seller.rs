//! The seller dashboard.

use serde_json::{Value, json};

use super::{Person, Shop, id, money};

async fn dashboard(app: &Shop, seller: &Person, what: &str) -> Value {
    app.settle().await;
    app.get(&format!("/api/seller/dashboard/{what}")).token(&seller.token).send().await.expect(200)
}

#[actix_web::test]
async fn metrics_count_sales_without_cancellations() {
    let app = Shop::open().await;
    let (mira, ravi, asha) = (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await);
    let (lamp, cup) = (app.product(&mira, "Lamp", 99.5, 20).await, app.product(&ravi, "Cup", 5.0, 20).await);
    let bulb = app.product(&mira, "Bulb", 1.0, 20).await;
    let empty = dashboard(&app, &mira, "metrics").await;
    assert_eq!((&empty["sales"], &empty["daily"], &empty["topProducts"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!(empty["revenue"], json!([]));

    app.add_to_cart(&asha, &lamp, 3).await.expect(200);
    app.add_to_cart(&asha, &bulb, 1).await.expect(200);
    let paid = app.order(&asha, &cup, 2).await;
    app.pay(&asha, &paid).await;
    let pending = app.order(&asha, &lamp, 1).await;
    let cancelled = app.order(&asha, &lamp, 1).await;
    app.pay(&asha, &cancelled).await;
    app.post(&format!("/api/orders/{}/cancel", id(&cancelled))).token(&asha.token).send().await.expect(200);

    let metrics = dashboard(&app, &mira, "metrics").await;
    assert_eq!(metrics["sales"], 4);
    assert_eq!(metrics["revenue"], json!([money(299.5)]), "without tax and shipping");
    assert_eq!(metrics["ordersByStatus"]["CONFIRMED"], 1);
    assert_eq!(metrics["ordersByStatus"]["PENDING"], 1);
    assert_eq!(metrics["ordersByStatus"]["CANCELLED"], 1);
    let top = &metrics["topProducts"];
    assert_eq!(top[0], json!({"id": lamp, "title": "Lamp", "sold": 3, "revenue": money(298.5)}));
    assert_eq!(top.as_array().unwrap().len(), 2);
    let today = paid["createdAt"].as_str().unwrap()[..10].to_owned();
    assert_eq!(metrics["daily"], json!([{"date": today, "sales": 4, "revenue": money(299.5)}]));
    assert_eq!(dashboard(&app, &ravi, "metrics").await["revenue"], json!([money(10.0)]));

    for (range, sales) in [
        (format!("from={today}"), 4),
        (format!("to={today}"), 4),
        (format!("from={today}&to={today}"), 4),
        ("from=2099-01-01".to_owned(), 0),
        ("to=2020-01-01".to_owned(), 0),
        ("from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z".to_owned(), 4),
    ] {
        assert_eq!(dashboard(&app, &mira, &format!("metrics?{range}")).await["sales"], sales, "{range}");
    }
    for name in ["from", "to"] {
        for bad in ["yesterday", "", "2026-13-01", "2026-02-30"] {
            let path = format!("/api/seller/dashboard/metrics?{name}={bad}");
            app.get(&path).token(&mira.token).send().await.invalid(name);
        }
    }

    let orders = dashboard(&app, &mira, "orders").await;
    let ids: Vec<String> = orders.as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, [id(&cancelled), id(&pending), id(&paid)], "newest first");
    let items = orders[2]["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["seller"] == mira.id.as_str()), "only the seller's own lines");
    assert_eq!(orders[2]["status"], "CONFIRMED");

    let products = dashboard(&app, &mira, "products").await;
    let of = |product: &str| products.as_array().unwrap().iter().find(|row| row["_id"] == product).unwrap().clone();
    assert_eq!(products.as_array().unwrap().len(), 2);
    assert_eq!((&of(&lamp)["sold"], &of(&lamp)["stock"]), (&json!(3), &json!(16)));
    assert_eq!((&of(&bulb)["sold"], &of(&bulb)["stock"]), (&json!(1), &json!(19)));
    app.shutdown().await;
}

#[actix_web::test]
async fn two_currencies_are_two_revenues() {
    let app = Shop::open().await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 20).await;
    let body = json!({"title": "Import", "priceAmount": 3.5, "priceCurrency": "USD", "stock": 5});
    let import = app.post("/api/products").token(&mira.token).json(&body).send().await.expect(201);
    for product in [lamp, id(&import["product"])] {
        let order = app.order(&asha, &product, 2).await;
        app.pay(&asha, &order).await;
    }
    let metrics = dashboard(&app, &mira, "metrics").await;
    let revenue = metrics["revenue"].as_array().unwrap();
    assert_eq!((&metrics["sales"], revenue.len()), (&json!(4), 2));
    assert!(revenue.contains(&money(20.0)) && revenue.contains(&json!({"amount": 7, "currency": "USD"})));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_dashboard_is_for_sellers() {
    let app = Shop::open().await;
    let (asha, admin) = (app.stranger(), app.admin().await);
    for what in ["metrics", "orders", "products"] {
        let path = format!("/api/seller/dashboard/{what}");
        app.get(&path).send().await.expect(401);
        app.get(&path).token(&asha.token).send().await.expect(403);
        app.get(&path).token(&admin.token).send().await.expect(403);
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn in_an_order_of_two_sellers_each_sees_own_lines_and_sums() {
    let app = Shop::open().await;
    let (mira, ravi, admin, asha) =
        (app.seller("mira").await, app.seller("ravi").await, app.admin().await, app.user("asha").await);
    let (lamp, cup) = (app.product(&mira, "Lamp", 300.0, 5).await, app.product(&ravi, "Cup", 50.0, 5).await);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let order = app.order(&asha, &cup, 2).await;
    assert_eq!(order["totalPrice"], money(490.0));
    let listed = async |who: &Person| {
        let orders = dashboard(&app, who, "orders").await;
        assert_eq!(orders.as_array().unwrap().len(), 1);
        orders[0].clone()
    };
    for (who, title) in [(&mira, "Lamp"), (&ravi, "Cup")] {
        for seen in [app.order_now(who, &order).await, listed(who).await] {
            assert_eq!(seen["shippingAddress"], json!(null), "it is not paid");
            assert_eq!((seen["items"].as_array().unwrap().len(), &seen["items"][0]["title"]), (1, &json!(title)));
        }
    }
    app.pay(&asha, &order).await;
    // Tax and shipping are split in proportion to the lines' costs, so that both shares add up to the order.
    for (who, sums) in [(&mira, [300.0, 30.0, 37.5, 367.5]), (&ravi, [100.0, 10.0, 12.5, 122.5])] {
        for seen in [app.order_now(who, &order).await, listed(who).await] {
            let output = ["subtotal", "taxPrice", "shippingPrice", "totalPrice"].map(|key| seen[key].clone());
            assert_eq!(output, sums.map(money), "{seen}");
            assert_eq!(seen["shippingAddress"]["city"], "Pune");
            let text = seen.to_string();
            let (own, other) = if who.id == mira.id { (&mira.id, &ravi.id) } else { (&ravi.id, &mira.id) };
            assert!(text.contains(own) && !text.contains(other), "{text}");
        }
    }
    // Also in the response to a step, and when the other seller's lines change and money is refunded.
    let shipped = app.post(&format!("/api/orders/{}/ship", id(&order))).token(&mira.token).send().await.expect(200);
    assert_eq!(shipped["order"]["items"].as_array().unwrap().len(), 1);
    let payment = app.payment_of(&asha, &order).await;
    let refund = json!({"amount": {"amount": 49}, "reason": "the cup was cracked"});
    app.post(&format!("/api/payments/{}/refunds", id(&payment)))
        .token(&admin.token)
        .json(&refund)
        .send()
        .await
        .expect(201);
    for seen in [app.order_now(&ravi, &order).await, listed(&ravi).await] {
        let text = seen.to_string();
        assert!(!text.contains(&mira.id) && !text.contains("Lamp") && !text.contains("49.00"), "{text}");
        assert_eq!(seen["refundedPrice"], money(12.25));
    }
    for who in [&asha, &admin] {
        let seen = app.order_now(who, &order).await;
        assert_eq!((seen["items"].as_array().unwrap().len(), &seen["totalPrice"]), (2, &money(490.0)));
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn orders_to_ship_are_listed_before_newer_orders() {
    let app = Shop::open_with(|config| config.order.max_unpaid = 200).await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 300).await;
    let mut paid = vec![];
    for _ in 0..3 {
        let order = app.order(&asha, &lamp, 1).await;
        app.pay(&asha, &order).await;
        paid.push(id(&order));
    }
    for _ in 0..105 {
        app.order(&asha, &lamp, 1).await;
    }
    let to_ship = dashboard(&app, &mira, "orders?toShip=true&limit=2").await;
    assert_eq!(to_ship.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), paid[..2], "the oldest first");
    let rest = dashboard(&app, &mira, "orders?toShip=true&limit=2&skip=2").await;
    assert_eq!(rest.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), paid[2..]);
    app.post(&format!("/api/orders/{}/ship", paid[0])).token(&mira.token).send().await.expect(200);
    let to_ship = dashboard(&app, &mira, "orders?toShip=true").await;
    assert_eq!(to_ship.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), paid[1..]);
    assert_eq!(dashboard(&app, &mira, "orders?toShip=false&limit=100").await.as_array().unwrap().len(), 100);
    app.get("/api/seller/dashboard/orders?toShip=x").token(&mira.token).send().await.invalid("toShip");

    let browser = super::pages::browser::Browser::new(&app);
    browser.log_in("mira").await;
    let dashboard = browser.open("/seller").await;
    dashboard.has(&paid[1]).has(&paid[2]).lacks(&paid[0]);
    browser.open("/seller/orders?show=to-ship").await.has(&paid[1]).has(&paid[2]).lacks(&paid[0]);
    app.shutdown().await;
}
