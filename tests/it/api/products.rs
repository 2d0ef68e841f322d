//! The life cycle of a product.

use serde_json::{Value, json};

use super::{Shop, id, is_moment, money};

#[actix_web::test]
async fn a_product_is_created_changed_and_deleted() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let body = json!({
        "title": "<b>Lamp</b> \u{1f4a1}", "description": "Warm & \"bright\"", "priceAmount": 499.5,
        "priceCurrency": "INR", "stock": 10, "category": "Home",
    });
    let created = app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    assert!(created["message"].is_string());
    let product = &created["product"];
    let path = format!("/api/products/{}", id(product));
    for (field, value) in [
        ("title", json!("<b>Lamp</b> \u{1f4a1}")),
        ("description", json!("Warm & \"bright\"")),
        ("price", money(499.5)),
        ("stock", json!(10)),
        ("category", json!("Home")),
        ("seller", json!(seller.id)),
        ("images", json!([])),
    ] {
        assert_eq!(product[field], value);
    }
    assert!(is_moment(&product["createdAt"]) && is_moment(&product["updatedAt"]));
    let shown = app.get(&path).send().await;
    assert_eq!(&shown.expect(200), product, "read at once after it was written");
    let etag = shown.header("etag").unwrap().to_owned();
    assert_eq!(app.get(&path).header("if-none-match", &etag).send().await.status, 304);

    let change = json!({"title": "Desk lamp", "description": "", "price": {"amount": 9.99, "currency": "USD"}, "stock": 3, "category": "Office"});
    let changed = app.patch(&path).token(&seller.token).json(&change).send().await.expect(200);
    let now = app.get(&path).header("if-none-match", &etag).send().await.expect(200);
    assert_eq!(now, changed);
    assert_eq!(now["title"], "Desk lamp");
    assert_eq!(now["price"], json!({"amount": 9.99, "currency": "USD"}));
    assert_eq!((&now["stock"], &now["category"], &now["description"]), (&json!(3), &json!("Office"), &json!("")));
    assert_eq!(now["createdAt"], product["createdAt"]);

    let gone = app.delete(&path).token(&seller.token).send().await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    app.get(&path).send().await.expect(404);
    app.patch(&path).token(&seller.token).json(&json!({"stock": 1})).send().await.expect(404);
    app.delete(&path).token(&seller.token).send().await.expect(404);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_small_product_has_defaults() {
    let app = Shop::open().await;
    let admin = app.admin().await;
    let body = json!({"title": "Lamp", "priceAmount": 5});
    let product = app.post("/api/products").token(&admin.token).json(&body).send().await.expect(201)["product"].clone();
    assert_eq!((&product["stock"], &product["description"]), (&json!(0), &json!("")));
    assert_eq!(product["price"], money(5.0));
    app.shutdown().await;
}

#[actix_web::test]
async fn an_invalid_product_is_refused_by_field() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let good = json!({"title": "Lamp", "priceAmount": 1});
    let create = |body: Value| app.post("/api/products").token(&seller.token).json(&body).send();
    for (field, value) in [
        ("title", json!("")),
        ("title", json!("   ")),
        ("title", json!("a".repeat(201))),
        ("title", json!(null)),
        ("title", json!(["Lamp"])),
        ("description", json!("a".repeat(10_001))),
        ("priceAmount", json!("cheap")),
        ("stock", json!(-1)),
        ("stock", json!(1.5)),
        ("stock", json!("many")),
        ("category", json!({})),
    ] {
        let mut body = good.clone();
        body[field] = value;
        create(body).await.invalid(field);
    }
    create(json!({"title": "Lamp"})).await.invalid("priceAmount");
    create(json!({"priceAmount": 1})).await.invalid("title");
    create(json!({"title": "\u{200B}\u{3164} \u{2800}", "priceAmount": 1})).await.invalid("title");
    create(json!({"title": "Lamp", "priceAmount": 1, "category": "\u{FEFF}\u{115F}"})).await.invalid("category");
    let mut largest = good.clone();
    largest["title"] = json!("é".repeat(200));
    largest["description"] = json!("\u{1f4a1}".repeat(10_000));
    let made = create(largest).await.expect(201);
    let patch = |body: Value| {
        app.patch(&format!("/api/products/{}", id(&made["product"]))).token(&seller.token).json(&body).send()
    };
    patch(json!({"colour": "red"})).await.invalid("colour");
    patch(json!({"seller": seller.id})).await.invalid("seller");
    patch(json!({"title": ""})).await.invalid("title");
    patch(json!({"title": "\u{2060}"})).await.invalid("title");
    patch(json!({"category": "\u{AD} "})).await.invalid("category");
    patch(json!({"stock": -1})).await.invalid("stock");
    app.post("/api/products").token(&seller.token).raw("text/plain", "x").send().await.expect(415);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_product_belongs_to_its_seller_and_admins() {
    let app = Shop::open().await;
    let (mira, other, admin, asha) =
        (app.seller("mira").await, app.seller("ravi").await, app.admin().await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 1.0, 5).await;
    let (path, images) = (format!("/api/products/{lamp}"), format!("/api/products/{lamp}/images/{lamp}"));
    let body = json!({"title": "Lamp", "priceAmount": 1});
    app.post("/api/products").json(&body).send().await.expect(401);
    app.post("/api/products").token(&asha.token).json(&body).send().await.expect(403);
    for (token, status) in [(None, 401), (Some(&asha.token), 403), (Some(&other.token), 403)] {
        for (method, path) in [("PATCH", &path), ("DELETE", &path), ("DELETE", &images)] {
            let call = app.call(method.parse().unwrap(), path).json(&json!({"stock": 1}));
            let call = if let Some(token) = token { call.token(token) } else { call };
            call.send().await.expect(status);
        }
    }
    app.delete(&images).token(&mira.token).send().await.expect(404);
    let changed = app.patch(&path).token(&admin.token).json(&json!({"stock": 7})).send().await.expect(200);
    assert_eq!(changed["stock"], 7);
    assert_eq!(app.delete(&path).token(&admin.token).send().await.status, 204);
    app.shutdown().await;
}

#[actix_web::test]
async fn setting_the_stock_sets_what_is_available() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 10).await;
    app.order(&asha, &lamp, 4).await;
    assert_eq!(app.stock(&lamp).await, (10, 4, 6));
    let path = format!("/api/products/{lamp}");
    assert_eq!(app.get(&path).send().await.expect(200)["stock"], 6, "read at once after the order");
    let changed = app.patch(&path).token(&seller.token).json(&json!({"stock": 20})).send().await.expect(200);
    assert_eq!(changed["stock"], 20);
    assert_eq!(app.stock(&lamp).await, (24, 4, 20));
    app.patch(&path).token(&seller.token).json(&json!({"stock": 0})).send().await.expect(200);
    assert_eq!(app.stock(&lamp).await, (4, 4, 0));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_stock_that_changed_since_it_was_seen_is_not_set() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 10).await;
    let path = format!("/api/products/{lamp}");
    app.order(&asha, &lamp, 3).await;
    let patch = async |body: Value| app.patch(&path).token(&seller.token).json(&body).send().await;
    let moved = patch(json!({"title": "Brass lamp", "stock": 12, "stockSeen": 10})).await;
    assert_eq!(moved.refused(409, "product.stock_moved")["available"], 7);
    assert_eq!(patch(json!({"stockSeen": 10})).await.refused(409, "product.stock_moved")["available"], 7);
    let now = app.get(&path).send().await.expect(200);
    assert_eq!((&now["title"], &now["stock"]), (&json!("Lamp"), &json!(7)), "nothing is changed");
    let set = patch(json!({"title": "Brass lamp", "stock": 12, "stockSeen": 7})).await.expect(200);
    assert_eq!((&set["title"], &set["stock"]), (&json!("Brass lamp"), &json!(12)));
    assert_eq!(app.stock(&lamp).await, (15, 3, 12));
    patch(json!({"stockSeen": -1})).await.invalid("stockSeen");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_seller_sets_how_many_an_order_may_have() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let body = json!({"title": "Lamp", "priceAmount": 5, "stock": 50, "maxPerOrder": 4});
    let made = app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    assert_eq!(made["product"]["maxPerOrder"], 4);
    let path = format!("/api/products/{}", id(&made["product"]));
    let patch = async |body: Value| app.patch(&path).token(&seller.token).json(&body).send().await;
    assert_eq!(patch(json!({"title": "Brass lamp"})).await.expect(200)["maxPerOrder"], 4);
    assert_eq!(patch(json!({"maxPerOrder": 6})).await.expect(200)["maxPerOrder"], 6);
    assert_eq!(patch(json!({"maxPerOrder": null})).await.expect(200).get("maxPerOrder"), None);
    for wrong in [json!(0), json!(1000), json!(-1), json!("4"), json!(1.5)] {
        patch(json!({"maxPerOrder": wrong})).await.invalid("maxPerOrder");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn a_seller_lists_their_own_products_newest_first() {
    let app = Shop::open().await;
    let (mira, other, asha) = (app.seller("mira").await, app.seller("ravi").await, app.stranger());
    let mut made = vec![];
    for n in 0..3 {
        made.insert(0, app.product(&mira, &format!("Lamp {n}"), 1.0, 5).await);
        app.product(&other, "Cup", 1.0, 5).await;
    }
    let list = app.get("/api/products/seller").token(&mira.token).send().await.expect(200);
    let ids: Vec<String> = list.as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, made);
    app.get("/api/products/seller").send().await.expect(401);
    app.get("/api/products/seller").token(&asha.token).send().await.expect(403);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_unknown_product_is_not_found_and_a_head_has_no_body() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    app.get("/api/products/665f1f77bcf86cd799439011").send().await.refused(404, "not_found");
    let head = app.call(reqwest::Method::HEAD, &format!("/api/products/{lamp}")).send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    app.shutdown().await;
}
