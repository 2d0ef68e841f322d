//! Requests that another site makes a browser send.

use serde_json::json;

use super::Shop;

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";

#[actix_web::test]
async fn requests_with_a_cookie_must_come_from_the_shop() {
    let app = Shop::open_with(|config| config.http.allowed_origins = vec![SHOP.to_owned()]).await;
    let (seller, asha) = (app.seller("mira").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 1.0, 900).await;
    let body = json!({"productId": lamp, "quantity": 1});
    let own = app.base().clone();
    let matrix: [(&[(&str, &str)], bool); 12] = [
        (&[], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "nonsense")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", EVIL)], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", SHOP)], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", &own)], true),
        (&[("origin", &own)], true),
        (&[("origin", SHOP)], true),
        (&[("origin", EVIL)], false),
    ];
    let with = |mut call: super::Call, headers: &[(&str, &str)]| {
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call
    };
    for (headers, passes) in matrix {
        let foreign = headers.contains(&("origin", EVIL));
        let add = with(app.post("/api/cart/items").json(&body), headers);
        let answer = add.cookie(&asha.token).send().await;
        // A forbidden origin may be refused before the cookie is checked.
        assert_eq!(answer.status, if passes { 200 } else { 403 }, "{headers:?}");
        if !passes && !foreign {
            answer.refused(403, "request.csrf");
        }
        let read = with(app.get("/api/cart"), headers).cookie(&asha.token).send().await;
        if !foreign {
            read.expect(200);
        }
        let bearer = with(app.post("/api/cart/items").json(&body), headers).token(&asha.token).send().await;
        if !foreign {
            bearer.expect(200);
        }
    }
    for origin in ["null", "", "https://shop.example.evil.example", "http://shop.example", "https://SHOP.example:1"] {
        let answer = app.post("/api/cart/items").json(&body).header("origin", origin).cookie(&asha.token).send().await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn every_changing_method_is_guarded() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 1.0, 9).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    for (method, path, token) in [
        ("POST", "/api/auth/users/me/addresses", &asha.token),
        ("POST", "/api/orders", &asha.token),
        ("DELETE", "/api/cart", &asha.token),
        ("PATCH", &format!("/api/products/{lamp}"), &seller.token),
        ("DELETE", &format!("/api/products/{lamp}"), &seller.token),
        ("POST", "/api/products", &seller.token),
        ("POST", "/api/payments/verify", &asha.token),
        ("POST", "/api/auth/logout", &asha.token),
    ] {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", EVIL)] {
            let call = app.call(method.parse().unwrap(), path).json(&json!({})).header(name, value).cookie(token);
            call.send().await.refused(403, "request.csrf");
        }
    }
    app.get("/api/auth/me").cookie(&asha.token).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_logout_by_link_works_from_here_and_not_from_another_site() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let logout = |site: &str| app.get("/api/auth/logout").header("sec-fetch-site", site).cookie(&asha.token).send();
    logout("cross-site").await.expect(403);
    app.get("/api/auth/me").cookie(&asha.token).send().await.expect(200);
    logout("same-site").await.expect(200);
    app.get("/api/auth/me").cookie(&asha.token).send().await.expect(401);
    app.shutdown().await;
}
