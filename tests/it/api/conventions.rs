//! Conventions of every path: errors, media types, limits, paging.

use serde_json::{Value, json};

use super::{Shop, money};

#[actix_web::test]
async fn an_unknown_path_and_a_wrong_method_have_different_errors() {
    let app = Shop::open().await;
    for path in ["/nowhere", "/api", "/api/nowhere", "/api/products/a/b/c", "/internal/stock", "/media/../etc"] {
        app.get(path).send().await.refused(404, "not_found");
    }
    for (method, path, allow) in [
        ("DELETE", "/api/products", "GET, HEAD, POST"),
        ("PUT", "/api/auth/register", "POST"),
        ("GET", "/api/payments/verify", "POST"),
        ("DELETE", "/api/payment/webhook", "POST"),
        ("POST", "/api/orders/me", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PATCH", "/api/auth/logout", "GET, HEAD, POST"),
        ("BREW", "/api/cart", "DELETE, GET, HEAD"),
        ("TRACE", "/", "GET, HEAD"),
    ] {
        let answer = app.call(method.parse().unwrap(), path).send().await;
        answer.refused(405, "request.method_not_allowed");
        let allowed: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
        for method in allow.split(", ") {
            assert!(allowed.contains(&method), "{method} {path}: {allowed:?}");
        }
        assert!(!allowed.contains(&method), "{allowed:?}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_error_has_the_request_id() {
    let app = Shop::open().await;
    let answer = app.get("/nowhere").header("x-request-id", "from-the-client").send().await;
    assert_eq!(answer.expect(404)["requestId"], "from-the-client");
    assert_eq!(answer.header("x-request-id"), Some("from-the-client"));
    let answer = app.get("/nowhere").header("x-request-id", "<script>").send().await;
    assert_ne!(answer.expect(404)["requestId"], "<script>");
    let body = answer.json();
    assert_eq!(answer.header("x-request-id"), body["requestId"].as_str());
    assert!(body.get("errors").is_none(), "only for validation");
    app.shutdown().await;
}

#[actix_web::test]
async fn other_bodies_than_json_have_a_clear_error() {
    let app = Shop::open().await;
    let token = app.stranger().token;
    for (path, token) in [("/api/auth/login", ""), ("/api/cart/items", token.as_str()), ("/api/orders", &token)] {
        let send = |kind: &str, body: Vec<u8>| app.post(path).token(token).raw(kind, body).send();
        for broken in ["{", "{\"a\":}", "nonsense", "{} {}", "\u{feff}{}"] {
            send("application/json", broken.into()).await.expect(400);
        }
        for shape in ["[]", "null", "1", "\"text\"", "true"] {
            send("application/json", shape.into()).await.expect(400);
        }
        send("application/json", vec![0xff, 0xfe, 0x00]).await.expect(400);
        send("application/json", [vec![b'['; 100_000], vec![b']'; 100_000]].concat()).await.expect(400);
        send("text/plain", "{}".into()).await.refused(415, "request.unsupported_media");
        send("application/x-www-form-urlencoded", "a=b".into()).await.expect(415);
        let large = format!("{{\"email\":\"{}\"}}", "a".repeat(1024 * 1024));
        send("application/json", large.into()).await.refused(413, "request.too_large");
    }
    app.post("/api/auth/login").send().await.expect(415);
    let twice = "{\"quantity\":1,\"quantity\":2,\"productId\":\"665f1f77bcf86cd799439011\"}";
    app.post("/api/cart/items").token(&token).raw("application/json", twice).send().await.invalid("quantity");
    let kind = "Application/JSON; charset=utf-8";
    app.post("/api/orders").token(&token).raw(kind, "{}").send().await.refused(400, "order.empty_cart");
    app.shutdown().await;
}

#[actix_web::test]
async fn money_is_exact_and_has_no_third_decimal() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let create = |amount: &str| {
        let body = format!("{{\"title\":\"Lamp\",\"priceAmount\":{amount}}}");
        app.post("/api/products").token(&seller.token).raw("application/json", body).send()
    };
    for (written, shown) in [
        ("499.5", "499.5"),
        ("0.01", "0.01"),
        ("1e2", "100"),
        ("0.10", "0.1"),
        ("12.34", "12.34"),
        ("9007199.99", "9007199.99"),
    ] {
        let answer = create(written).await;
        answer.expect(201);
        let shown = format!("\"price\":{{\"amount\":{shown},\"currency\":\"INR\"}}");
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(body.contains(&shown), "{shown} is not in {body}");
    }
    for refused in [
        "0.001",
        "499.555",
        "0",
        "-1",
        "1e-3",
        "1e400",
        "\"\"",
        "\"NaN\"",
        "\"12.34\"",
        "\"5\"",
        "null",
        "{}",
        "0.1000000000000000055",
    ] {
        create(refused).await.invalid("priceAmount");
    }
    let body = json!({"title": "Lamp", "priceAmount": 1, "priceCurrency": "EUR"});
    app.post("/api/products").token(&seller.token).json(&body).send().await.invalid("priceCurrency");
    let lamp = app.product(&seller, "Lamp", 1.0, 1).await;
    let change = |price: Value| {
        app.patch(&format!("/api/products/{lamp}")).token(&seller.token).json(&json!({"price": price})).send()
    };
    change(json!({"amount": 1.005})).await.invalid("price.amount");
    change(json!({"amount": 1.25, "currency": "XXX"})).await.invalid("price.currency");
    change(json!({"currency": "USD"})).await.invalid("price.amount");
    change(json!({"amount": 0})).await.invalid("price.amount");
    assert_eq!(change(json!({"amount": 1.25})).await.expect(200)["price"], money(1.25));
    app.shutdown().await;
}

#[actix_web::test]
async fn invalid_paging_is_refused_and_valid_paging_has_links() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    for n in 0..5 {
        app.product(&seller, &format!("Lamp {n}"), 1.0, 1).await;
    }
    app.settle().await;
    let lists = [
        ("/api/products", ""),
        ("/api/products/seller", &seller.token),
        ("/api/seller/dashboard/orders", &seller.token),
        ("/api/seller/dashboard/products", &seller.token),
        ("/api/orders/me", &asha.token),
    ];
    for (path, token) in lists {
        let get = |query: &str| app.get(&format!("{path}?{query}")).token(token).send();
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=1&limit=2"] {
            get(bad).await.invalid("limit");
        }
        for bad in ["skip=-1", "skip=x", "skip=99999999999999999999", "skip=9999999999999999"] {
            get(bad).await.invalid("skip");
        }
        for bad in ["page=0", "page=x", "page=1&skip=1", "page=9999999999999999"] {
            get(bad).await.invalid("page");
        }
        get("limit=%zz").await.expect(400);
        get("skip=0&limit=100").await.expect(200);
        get("skip=1000000").await.expect(200);
    }
    let answer = app.get("/api/products/seller?skip=2&limit=2").token(&seller.token).send().await;
    assert_eq!(answer.expect(200).as_array().unwrap().len(), 2);
    assert_eq!(answer.header("x-total-count"), Some("5"));
    let links = answer.header("link").unwrap();
    for (rel, skip) in [("first", 0), ("prev", 0), ("next", 4), ("last", 4)] {
        let link = format!("</api/products/seller?skip={skip}&limit=2>; rel=\"{rel}\"");
        assert!(links.contains(&link), "{link} is not in {links}");
    }
    let by_page = app.get("/api/products/seller?page=2&limit=2").token(&seller.token).send().await;
    assert_eq!(by_page.expect(200), answer.expect(200));
    assert!(by_page.header("link").unwrap().contains("?page=3&limit=2>; rel=\"next\""));
    app.until("the index", "", "/api/products", |list| list.as_array().unwrap().len() == 5).await;
    let searched = app.get("/api/products?q=lamp&limit=3").send().await;
    assert_eq!(searched.header("x-total-count"), Some("5"));
    assert!(searched.header("link").unwrap().contains("</api/products?q=lamp&skip=3&limit=3>; rel=\"next\""));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_bad_id_in_any_path_is_refused_by_name() {
    let app = Shop::open().await;
    let (asha, seller, admin) = (app.stranger(), app.seller("mira").await, app.admin().await);
    let service = app.service_token();
    for (method, path, name, token) in [
        ("GET", "/api/products/{}", "id", ""),
        ("PATCH", "/api/products/{}", "id", &*seller.token),
        ("DELETE", "/api/products/{}", "id", &seller.token),
        ("GET", "/api/inventory/{}", "productId", ""),
        ("PUT", "/api/inventory/{}", "productId", &service),
        ("GET", "/api/orders/{}", "id", &asha.token),
        ("POST", "/api/orders/{}/cancel", "id", &asha.token),
        ("POST", "/api/orders/{}/ship", "id", &seller.token),
        ("POST", "/api/payments/create/{}", "orderId", &asha.token),
        ("GET", "/api/payments/order/{}", "orderId", &asha.token),
        ("POST", "/api/payments/{}/refunds", "id", &admin.token),
    ] {
        for bad in [
            "1",
            "665f1f77bcf86cd79943901",
            "665f1f77bcf86cd7994390111",
            "zzzzzzzzzzzzzzzzzzzzzzzz",
            "%00",
            "%F0%9F%92%A9",
        ] {
            let call = app.call(method.parse().unwrap(), &path.replace("{}", bad)).token(token);
            let call = if method == "GET" { call } else { call.json(&json!({"available": 1})) };
            call.send().await.invalid(name);
        }
    }
    app.shutdown().await;
}
