//! Carts.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Shop, id, is_moment, money};

#[actix_web::test]
async fn a_cart_has_lines_totals_and_current_prices() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 499.5, 10).await;
    let empty = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(empty["cart"]["user"], asha.id);
    assert_eq!(empty["cart"]["items"], json!([]));
    assert_eq!(empty["totals"], json!({"itemCount": 0, "totalQuantity": 0, "subtotal": money(0.0)}));

    let added = app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    id(&added["cart"]);
    assert!(is_moment(&added["cart"]["updatedAt"]));
    let line = json!({"productId": lamp, "quantity": 2, "title": "Lamp", "price": money(499.5), "image": null});
    assert_eq!(added["cart"]["items"], json!([line]));
    assert_eq!(added["totals"], json!({"itemCount": 1, "totalQuantity": 2, "subtotal": money(999.0)}));
    let more = app.post("/api/cart/items").token(&asha.token).json(&json!({"productId": lamp, "qty": 3}));
    assert_eq!(more.send().await.expect(200)["totals"]["totalQuantity"], 5);

    let cheaper = json!({"price": {"amount": 400.25}});
    app.patch(&format!("/api/products/{lamp}")).token(&seller.token).json(&cheaper).send().await.expect(200);
    let now = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(now["totals"]["subtotal"], money(2001.25));

    let path = format!("/api/cart/items/{lamp}");
    for (body, quantity) in [(json!({"quantity": 1}), 1), (json!({"qty": 4}), 4)] {
        let set = app.patch(&path).token(&asha.token).json(&body).send().await.expect(200);
        assert_eq!(set["cart"]["items"][0]["quantity"], quantity);
    }
    assert_eq!(app.delete(&path).token(&asha.token).send().await.expect(200)["cart"]["items"], json!([]));
    app.delete(&path).token(&asha.token).send().await.expect(404);
    app.patch(&path).token(&asha.token).json(&json!({"quantity": 1})).send().await.expect(404);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let cleared = app.delete("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!((&cleared["cart"]["items"], &cleared["totals"]["itemCount"]), (&json!([]), &json!(0)));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_limit_of_a_product_is_enforced_in_the_cart_and_the_order() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 50).await;
    let bound = async |max: Value| {
        let body = json!({ "maxPerOrder": max });
        app.patch(&format!("/api/products/{lamp}")).token(&seller.token).json(&body).send().await.expect(200)
    };
    bound(json!(3)).await;
    assert_eq!(app.add_to_cart(&asha, &lamp, 4).await.refused(409, "cart.max_per_order")["max"], 3);
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    assert_eq!(app.add_to_cart(&asha, &lamp, 2).await.refused(409, "cart.max_per_order")["max"], 3);
    let path = format!("/api/cart/items/{lamp}");
    let set =
        async |quantity: u32| app.patch(&path).token(&asha.token).json(&json!({ "quantity": quantity })).send().await;
    assert_eq!(set(4).await.refused(409, "cart.max_per_order")["max"], 3);
    set(3).await.expect(200);
    // A limit that was set after the line was added counts when the cart is ordered.
    bound(json!(2)).await;
    let order = async || app.post("/api/orders").token(&asha.token).json(&json!({})).send().await;
    let refused = order().await.refused(409, "cart.max_per_order");
    assert_eq!((&refused["max"], &refused["productId"]), (&json!(2), &json!(lamp)));
    assert_eq!(app.stock(&lamp).await, (50, 0, 50), "nothing is held");
    set(2).await.expect(200);
    order().await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_quantity_above_the_stock_is_refused_with_the_stock() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 3).await;
    let refused = app.add_to_cart(&asha, &lamp, 4).await.refused(409, "cart.insufficient_stock");
    assert_eq!(refused["available"], 3);
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let refused = app.add_to_cart(&asha, &lamp, 2).await.refused(409, "cart.insufficient_stock");
    assert_eq!(refused["available"], 3);
    let path = format!("/api/cart/items/{lamp}");
    let set = app.patch(&path).token(&asha.token).json(&json!({"quantity": 4})).send().await;
    assert_eq!(set.refused(409, "cart.insufficient_stock")["available"], 3);
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["totals"]["totalQuantity"], 2, "a refusal changes nothing");
    app.shutdown().await;
}

#[actix_web::test]
async fn invalid_cart_lines_are_refused() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 100_000).await;
    let add = |body: Value| app.post("/api/cart/items").token(&asha.token).json(&body).send();
    for bad in [json!(0), json!(-1), json!(1000), json!(1.5), json!("2"), json!(null), json!([1]), json!(1e30)] {
        add(json!({"productId": lamp, "quantity": bad})).await.invalid("quantity");
    }
    add(json!({"productId": lamp})).await.invalid("quantity");
    add(json!({"quantity": 1})).await.invalid("productId");
    add(json!({"productId": "lamp", "quantity": 1})).await.invalid("productId");
    add(json!({"productId": asha.id, "quantity": 1})).await.expect(404);
    app.patch("/api/cart/items/x").token(&asha.token).json(&json!({"qty": 1})).send().await.invalid("productId");
    assert_eq!(add(json!({"productId": lamp, "quantity": 999})).await.expect(200)["totals"]["totalQuantity"], 999);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cart_is_for_users() {
    let app = Shop::open().await;
    let (seller, admin) = (app.seller("mira").await, app.admin().await);
    let lamp = app.product(&seller, "Lamp", 10.0, 5).await;
    let body = json!({"productId": lamp, "quantity": 1});
    let item = format!("/api/cart/items/{lamp}");
    for (method, path) in [
        ("GET", "/api/cart"),
        ("DELETE", "/api/cart"),
        ("POST", "/api/cart/items"),
        ("PATCH", &item),
        ("DELETE", &item),
    ] {
        let call = || app.call(method.parse().unwrap(), path).json(&body);
        call().send().await.expect(401);
        for token in [&seller.token, &admin.token, &app.service_token()] {
            call().token(token).send().await.expect(403);
        }
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn fifty_concurrent_adds_to_one_cart_all_count() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 1_000).await;
    let answers = join_all((0..50).map(|_| app.add_to_cart(&asha, &lamp, 2))).await;
    for answer in &answers {
        answer.expect(200);
    }
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["totals"], json!({"itemCount": 1, "totalQuantity": 100, "subtotal": money(1000.0)}));
    let app = app.restart().await;
    let again = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(again, cart);
    app.shutdown().await;
}

#[actix_web::test]
async fn two_currencies_have_no_sum() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 5).await;
    let body = json!({"title": "Import", "priceAmount": 3.5, "priceCurrency": "USD", "stock": 5});
    let import = app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let mixed = app.add_to_cart(&asha, &id(&import["product"]), 1).await.expect(200);
    assert_eq!(mixed["totals"], json!({"itemCount": 2, "totalQuantity": 2, "subtotal": null}));
    app.place_order(&asha, &json!({})).await.refused(400, "order.mixed_currencies");
    assert_eq!(app.stock(&lamp).await, (5, 0, 5), "nothing is held");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_deleted_product_leaves_the_cart() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let (lamp, cup) = (app.product(&seller, "Lamp", 10.0, 5).await, app.product(&seller, "Cup", 2.0, 5).await);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    app.delete(&format!("/api/products/{lamp}")).token(&seller.token).send().await.expect(204);
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!((&cart["cart"]["items"], &cart["totals"]["totalQuantity"]), (&json!([]), &json!(0)));
    app.add_to_cart(&asha, &lamp, 1).await.expect(404);
    app.patch(&format!("/api/cart/items/{lamp}")).token(&asha.token).json(&json!({"qty": 2})).send().await.expect(404);
    app.place_order(&asha, &json!({})).await.refused(400, "order.empty_cart");
    let order = app.order(&asha, &cup, 2).await;
    assert_eq!(order["items"].as_array().unwrap().len(), 1);
    assert_eq!(order["subtotal"], money(4.0));
    app.shutdown().await;
}
