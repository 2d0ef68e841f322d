//! Products of a blocked seller, and products taken down, cannot be found or bought; everything else works.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{eventually, servers};

use super::{Person, Shop, address, chat::chat, id, money, text};

/// The ids that a search or list returns.
async fn found(app: &Shop, query: &str) -> Vec<String> {
    let list = app.get(&format!("/api/products{query}")).send().await;
    let products = list.expect(200);
    let ids: Vec<String> = products.as_array().unwrap().iter().map(id).collect();
    assert_eq!(list.header("x-total-count"), Some(ids.len().to_string().as_str()), "the total is of these");
    ids
}

pub async fn until_found(app: &Shop, query: &str, ids: &[&String]) {
    let are_found = async || found(app, query).await.iter().collect::<Vec<_>>() == ids;
    eventually(&format!("{query} comes to be {ids:?}"), are_found).await;
}

async fn cart(app: &Shop, who: &Person) -> Value {
    app.read(&who.token, "/api/cart").await
}

async fn page(app: &Shop, path: &str) -> (u16, String) {
    let call = app.http.get(format!("{}{path}", app.base())).header("accept", "text/html");
    let answer = call.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn until_cancelled(app: &Shop, who: &Person, order: &Value) -> Value {
    let path = format!("/api/orders/{}", id(order));
    app.until("the end", &who.token, &path, |body| body["order"]["status"] == "CANCELLED").await["order"].clone()
}

/// Two sellers with a product each: (app, blocked one, other one, buyer, its product, the other's).
async fn market() -> (Shop, Person, Person, Person, String, String) {
    let app = Shop::open().await;
    let (mira, ravi, asha) = (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await);
    let lamp = json!({"title": "Brass lamp", "priceAmount": 10, "stock": 30, "category": "Lighting"});
    let lamp = app.post("/api/products").token(&mira.token).json(&lamp).send().await.expect(201);
    let cup = app.product(&ravi, "Clay cup", 5.0, 30).await;
    let lamp = id(&lamp["product"]);
    until_found(&app, "?q=lamp", &[&lamp]).await;
    until_found(&app, "", &[&cup, &lamp]).await;
    (app, mira, ravi, asha, lamp, cup)
}

#[actix_web::test]
async fn a_blocked_sellers_products_are_not_for_sale_until_unblocked() {
    let (app, mira, _, asha, lamp, cup) = market().await;
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    app.add_to_cart(&asha, &cup, 1).await.expect(200);
    let root = app.admin().await;
    app.set_blocked(&mira, true).await;

    let hidden = async |app: &Shop| {
        assert_eq!(found(app, "?q=lamp").await, Vec::<String>::new());
        assert_eq!(found(app, "").await, std::slice::from_ref(&cup));
        assert_eq!(found(app, "?category=Lighting").await, Vec::<String>::new());
        let path = format!("/api/products/{lamp}");
        app.get(&path).send().await.refused(404, "not_found");
        app.get(&path).token(&asha.token).send().await.refused(404, "not_found");
        assert_eq!(app.get(&path).token(&root.token).send().await.expect(200)["title"], "Brass lamp", "staff see it");
        assert_eq!(page(app, &format!("/products/{lamp}")).await.0, 404);
        for path in ["/", "/?q=lamp", "/?category=Lighting", "/sitemap.xml", &format!("/products/{cup}")] {
            let (_, body) = page(app, path).await;
            assert!(!body.contains(&lamp) && !body.contains("Brass lamp"), "{path}");
        }
        assert!(!page(app, "/").await.1.contains("category=Lighting"), "a category of nothing is not named");
        let refused = app.add_to_cart(&asha, &lamp, 1).await.refused(409, "cart.not_for_sale");
        assert_eq!(refused["items"], json!([{ "productId": lamp }]));
        let path = format!("/api/cart/items/{lamp}");
        let set = app.call(Method::PATCH, &path).token(&asha.token).json(&json!({"quantity": 3})).send().await;
        set.refused(409, "cart.not_for_sale");
        let cart = cart(app, &asha).await;
        let lines: Vec<_> =
            cart["cart"]["items"].as_array().unwrap().iter().map(|item| item["forSale"].clone()).collect();
        assert_eq!(lines, [json!(false), Value::Null]);
        let body = json!({"shippingAddress": address("Pune")});
        let refused = app.place_order(&asha, &body).await.refused(409, "cart.not_for_sale");
        assert_eq!(refused["items"], json!([{"productId": lamp, "title": "Brass lamp", "quantity": 2}]));
    };
    hidden(&app).await;
    let app = app.restart().await;
    hidden(&app).await;
    assert_eq!(app.stock(&lamp).await, (30, 0, 30), "nothing is held");

    app.set_blocked(&mira, false).await;
    until_found(&app, "", &[&cup, &lamp]).await;
    app.get(&format!("/api/products/{lamp}")).send().await.expect(200);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let order = app.place_order(&asha, &json!({"shippingAddress": address("Pune")})).await.expect(201);
    assert_eq!(order["order"]["items"].as_array().unwrap().len(), 2);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_block_cancels_unpaid_orders_and_keeps_paid_ones() {
    let (app, mira, _, asha, lamp, cup) = market().await;
    let root = app.admin().await;
    let paid = app.order(&asha, &lamp, 1).await;
    app.pay(&asha, &paid).await;
    app.add_to_cart(&asha, &cup, 4).await.expect(200);
    let mixed = app.order(&asha, &lamp, 2).await;
    let opened = app.open_payment(&asha, &mixed).await.expect(201);
    let others = app.order(&asha, &cup, 3).await;
    app.add_to_cart(&asha, &cup, 1).await.expect(200);
    assert_eq!(app.stock(&lamp).await, (29, 2, 27));
    app.set_blocked(&mira, true).await;

    let ended = until_cancelled(&app, &asha, &mixed).await;
    assert_eq!(ended["timeline"].as_array().unwrap().last().unwrap()["reason"], "seller suspended");
    assert_eq!(app.order_now(&asha, &paid).await["status"], "CONFIRMED");
    assert_eq!(app.order_now(&asha, &others).await["status"], "PENDING");
    app.until("the cup is back", &asha.token, "/api/cart", |body| {
        let items = body["cart"]["items"].as_array().unwrap();
        items.len() == 1 && items[0]["productId"] == cup.as_str() && items[0]["quantity"] == 5
    })
    .await;
    assert_eq!(app.stock(&lamp).await, (29, 0, 29));
    app.open_payment(&asha, &mixed).await.refused(409, "payment.not_payable");

    // The buyer has already opened the payment.
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    let verified = app.verify(&asha, &checkout).await.expect(200);
    assert_eq!(verified["payment"]["status"], "REFUNDED");
    assert_eq!(verified["payment"]["refunds"][0]["amount"], money(94.0), "(20 + 20) × 1.1 + 50");
    assert_eq!(app.order_now(&asha, &mixed).await["status"], "CANCELLED");
    let ship = app.post(&format!("/api/orders/{}/ship", id(&paid))).token(&root.token).json(&json!({})).send().await;
    assert_eq!(ship.expect(200)["order"]["status"], "SHIPPED");
    assert_eq!(app.mails_that_begin(&asha, "Order cancelled").await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn late_money_for_a_blocked_seller_is_refunded() {
    let app = Shop::open_with(|config| config.order.payment_window = std::time::Duration::from_secs(1)).await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Brass lamp", 10.0, 30).await;
    let order = app.order(&asha, &lamp, 2).await;
    let opened = app.open_payment(&asha, &order).await.expect(201);
    until_cancelled(&app, &asha, &order).await;
    app.set_blocked(&mira, true).await;
    let checkout = app.sandbox(&asha, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
    assert_eq!(app.verify(&asha, &checkout).await.expect(200)["payment"]["status"], "REFUNDED");
    app.set_blocked(&mira, false).await;
    assert_eq!(app.verify(&asha, &checkout).await.expect(200)["payment"]["status"], "REFUNDED");
    assert_eq!(app.order_now(&asha, &order).await["status"], "CANCELLED");
    app.shutdown().await;
}

/// Orders and pays repeatedly until the seller is blocked; returns each order, and whether its payment started after
/// the block was answered.
async fn buys(app: &Shop, asha: &Person, lamp: &str, blocked: &std::sync::atomic::AtomicBool) -> Vec<(Value, bool)> {
    let mut made = vec![];
    loop {
        if app.add_to_cart(asha, lamp, 1).await.status == 409 {
            return made;
        }
        let placed = app.place_order(asha, &json!({"shippingAddress": address("Pune")})).await;
        if placed.status != 201 {
            placed.refused(409, "cart.not_for_sale");
            return made;
        }
        let order = placed.expect(201)["order"].clone();
        let after = blocked.load(std::sync::atomic::Ordering::SeqCst);
        let opened = app.open_payment(asha, &order).await;
        if opened.status == 201 {
            let razorpay = text(&opened.expect(201)["razorpayOrderId"]);
            let checkout = app.sandbox(asha, &razorpay, "success").await.expect(200);
            app.verify(asha, &checkout).await.expect(200);
        } else {
            opened.refused(409, "payment.not_payable");
        }
        made.push((order, after));
    }
}

#[actix_web::test]
async fn money_that_comes_during_a_block_is_refunded() {
    let app = Shop::open().await;
    let mira = app.seller("mira").await;
    let lamp = app.product(&mira, "Brass lamp", 10.0, 100_000).await;
    let mut people = vec![];
    for number in 0..6 {
        people.push(app.user(&format!("buyer{number}")).await);
    }
    let blocked = std::sync::atomic::AtomicBool::new(false);
    let all = join_all(people.iter().map(|asha| buys(&app, asha, &lamp, &blocked)));
    let block = async {
        let path = format!("/api/inventory/{lamp}");
        app.until("some are sold", &people[0].token, &path, |level| level["onHand"].as_i64() < Some(99_990)).await;
        app.set_blocked(&mira, true).await;
        blocked.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (made, ()) = join(all, block).await;
    for (asha, orders) in people.iter().zip(made) {
        for (order, after) in orders {
            let path = format!("/api/orders/{}", id(&order));
            let order = app.until("an end", &asha.token, &path, |body| body["order"]["status"] != "PENDING").await;
            let status = order["order"]["status"].clone();
            assert!(!after || status == "CANCELLED", "paid after the block: {order}");
            let payment = app.get(&format!("/api/payments/order/{}", id(&order["order"]))).token(&asha.token);
            let payment = payment.send().await;
            if payment.status == 404 {
                continue;
            }
            let money = payment.expect(200)["payment"]["status"].clone();
            let kept = money == "SUCCESSFUL";
            assert_eq!(kept, status == "CONFIRMED", "money and goods go together: {order}");
            assert!(kept || money == "REFUNDED" || money == "PENDING", "{money}");
        }
    }
    let (_, reserved, _) = app.stock(&lamp).await;
    assert_eq!(reserved, 0, "nothing is held for orders that are over");
    app.shutdown().await;
}

#[actix_web::test]
async fn admins_take_a_product_down_and_approve_it_again() {
    let (app, mira, ravi, asha, lamp, cup) = market().await;
    let root = app.admin().await;
    let (down, up) = (format!("/api/admin/products/{lamp}/take-down"), format!("/api/admin/products/{lamp}/approve"));
    for path in [&down, &up] {
        app.post(path).send().await.expect(401);
        for person in [&mira, &ravi, &asha] {
            app.post(path).token(&person.token).send().await.expect(403);
        }
    }
    app.post("/api/admin/products/665f1f77bcf86cd799439011/take-down").token(&root.token).send().await.expect(404);
    app.post("/api/admin/products/x/take-down").token(&root.token).send().await.expect(400);
    let paid = app.order(&asha, &lamp, 1).await;
    app.pay(&asha, &paid).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);

    let body = json!({"reason": " a copy of a brand "});
    let taken = app.post(&down).token(&root.token).json(&body).send().await.expect(200);
    assert_eq!((&taken["status"], id(&taken)), (&json!("takenDown"), lamp.clone()));
    assert_eq!(found(&app, "?q=lamp").await, Vec::<String>::new());
    until_found(&app, "", &[&cup]).await;
    let path = format!("/api/products/{lamp}");
    for (person, status) in [(&mira, 200), (&root, 200), (&ravi, 404), (&asha, 404)] {
        app.get(&path).token(&person.token).send().await.expect(status);
    }
    app.get(&path).send().await.expect(404);
    app.add_to_cart(&asha, &lamp, 1).await.refused(409, "cart.not_for_sale");
    app.place_order(&asha, &json!({"shippingAddress": address("Pune")})).await.refused(409, "cart.not_for_sale");
    // A change by its seller does not approve it.
    let patched = app.call(Method::PATCH, &path).token(&mira.token).json(&json!({"title": "Brass lamp!"}));
    assert_eq!(patched.send().await.expect(200)["status"], "takenDown");
    let mine = app.get("/api/products/seller").token(&mira.token).send().await.expect(200);
    assert_eq!(mine[0]["status"], "takenDown");
    assert_eq!(app.order_now(&asha, &paid).await["status"], "CONFIRMED");

    let app = app.restart().await;
    assert_eq!(found(&app, "").await, std::slice::from_ref(&cup));
    assert_eq!(app.post(&up).token(&root.token).send().await.expect(200)["status"], "live");
    until_found(&app, "?q=lamp", &[&lamp]).await;
    app.get(&path).send().await.expect(200);
    app.place_order(&asha, &json!({"shippingAddress": address("Pune")})).await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn blocking_ends_every_socket_of_the_user() {
    let app = Shop::open().await;
    let (asha, other) = (app.user("asha").await, app.stranger());
    let block = async {
        if servers::node_with_packages().is_some() {
            let said = |list: &Value| list.as_array().is_some_and(|all| !all.is_empty());
            app.until("a conversation", &asha.token, "/api/ai/conversations", said).await;
            app.set_blocked(&asha, true).await;
        }
    };
    join(chat(&app, "blocked", &json!({"token": asha.token, "second": other.token})), block).await;
    app.shutdown().await;
}
