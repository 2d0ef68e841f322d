//! Tags, conditional requests, encodings, what may be kept, and errors as problem details.

use std::io::Read;

use flate2::read::GzDecoder;
use microbazaar::config::Config;
use serde_json::{Value, json};

use super::{Shop, id};

async fn lamp(app: &Shop, token: &str) -> (String, Value) {
    let body = json!({"title": "Lamp", "description": "warm ".repeat(500), "priceAmount": 5, "stock": 10});
    let created = app.post("/api/products").token(token).json(&body).send().await;
    let product = created.expect(201)["product"].clone();
    let path = format!("/api/products/{}", id(&product));
    assert_eq!(created.header("location"), Some(path.as_str()));
    (path, product)
}

#[actix_web::test]
async fn a_change_that_names_another_version_is_not_made() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let (path, _) = lamp(&app, &seller.token).await;
    let etag = app.get(&path).send().await.header("etag").unwrap().to_owned();
    let patch =
        |tag: &str, body: Value| app.patch(&path).token(&seller.token).header("if-match", tag).json(&body).send();

    patch("\"0-0\"", json!({"title": "Other"})).await.refused(412, "request.precondition_failed");
    patch(&format!("W/{etag}"), json!({"title": "Other"})).await.refused(412, "request.precondition_failed");
    app.delete(&path).token(&seller.token).header("if-match", "\"0-0\"").send().await.expect(412);
    assert_eq!(app.get(&path).send().await.expect(200)["title"], "Lamp");

    let gzip = app.get(&path).header("accept-encoding", "gzip").send().await.header("etag").unwrap().to_owned();
    assert_ne!(gzip, etag);
    let changed = patch(&gzip, json!({"title": "Desk lamp"})).await;
    assert_eq!(changed.expect(200)["title"], "Desk lamp");
    let now = app.get(&path).send().await.header("etag").unwrap().to_owned();
    assert_eq!(changed.header("etag"), Some(now.as_str()));
    patch(&etag, json!({"stock": 1})).await.expect(412);
    assert_eq!(patch("*", json!({"stock": 3})).await.expect(200)["stock"], 3);
    let last = app.get(&path).send().await.header("etag").unwrap().to_owned();
    assert_eq!(app.delete(&path).token(&seller.token).header("if-match", &last).send().await.status, 204);
    app.shutdown().await;
}

#[actix_web::test]
async fn of_many_changes_of_one_version_one_is_made() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let (path, _) = lamp(&app, &seller.token).await;
    for round in 0..3 {
        let etag = app.get(&path).send().await.header("etag").unwrap().to_owned();
        let patches = (0..12).map(|number| {
            let body = json!({"title": format!("Lamp {round}-{number}"), "stock": 100 * (round + 1) + number});
            let call = app.patch(&path).token(&seller.token).header("if-match", &etag).json(&body);
            async move { (body, call.send().await) }
        });
        let answers = futures_util::future::join_all(patches).await;
        let made: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 200).collect();
        assert_eq!(made.len(), 1);
        assert!(answers.iter().all(|(_, answer)| [200, 412].contains(&answer.status)));
        let now = app.get(&path).send().await.expect(200);
        assert_eq!((&now["title"], &now["stock"]), (&made[0].0["title"], &made[0].0["stock"]));
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn each_encoding_has_its_tag_and_any_of_them_is_known() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let (path, product) = lamp(&app, &seller.token).await;
    let plain = app.get(&path).send().await;
    let tag = plain.header("etag").unwrap().to_owned();
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    let mut tags = vec![tag.clone(), format!("W/{tag}"), "*".to_owned()];
    for encoding in ["gzip", "br"] {
        let answer = app.http.get(format!("{}{path}", app.base())).header("accept-encoding", encoding);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], encoding);
        assert_eq!(answer.headers()["vary"], "accept-encoding");
        let own = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(own, format!("{}-{encoding}\"", tag.trim_end_matches('"')));
        let bytes = answer.bytes().await.unwrap();
        assert!(bytes.len() * 4 < plain.body.len(), "{} of {}", bytes.len(), plain.body.len());
        if encoding == "gzip" {
            let mut text = String::new();
            GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), product);
        }
        tags.push(own);
    }
    for tag in tags {
        let answer = app.get(&path).header("if-none-match", &tag).send().await;
        assert_eq!((answer.status, answer.header("vary")), (304, Some("accept-encoding")), "{tag}");
        assert_eq!(app.get(&path).header("if-none-match", &format!("\"x\", {tag}")).send().await.status, 304);
    }
    for document in ["/openapi.json", "/docs"] {
        let answer = app.http.get(format!("{}{document}", app.base())).header("accept-encoding", "gzip, br;q=0.5");
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.headers()["vary"], "accept-encoding", "{document}");
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{document}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn what_is_about_a_user_is_not_kept() {
    let app = Shop::open().await;
    let buyer = app.user("ada").await;
    let seller = app.seller("mira").await;
    let (product, _) = lamp(&app, &seller.token).await;
    for path in ["/api/auth/me", "/api/cart", "/api/orders/me", "/api/auth/users/me/addresses"] {
        assert_eq!(app.get(path).token(&buyer.token).send().await.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(app.get(path).cookie(&buyer.token).send().await.header("cache-control"), Some("no-store"), "{path}");
    }
    let login = json!({"email": buyer.email, "password": super::PASSWORD});
    let login = app.post("/api/auth/login").json(&login).send().await;
    assert_eq!(login.header("cache-control"), Some("no-store"));
    for path in [product.as_str(), "/api/products"] {
        assert_eq!(app.get(path).send().await.header("cache-control"), Some("no-cache"), "{path}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn errors_are_problem_details_for_those_who_take_them() {
    let app = Shop::open().await;
    let ask = |path: &str, accept: &str| app.get(path).header("accept", accept).send();
    let plain = ask("/api/products/none", "application/json").await;
    assert_eq!(plain.header("content-type"), Some("application/json"));
    let answer = ask("/api/products/none", "application/json;q=0.5, Application/Problem+JSON").await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.expect(400);
    assert_eq!((&problem["type"], &problem["title"]), (&json!("about:blank"), &json!("Bad Request")));
    assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("request.invalid")));
    assert_eq!(problem["errors"][0]["path"], "id");
    assert_eq!(problem["detail"], problem["message"]);
    let missing = ask("/nowhere", "application/problem+json").await;
    assert_eq!(missing.expect(404)["title"], "Not Found");
    assert_eq!(missing.header("x-request-id"), missing.json()["requestId"].as_str());
    app.shutdown().await;
}

#[actix_web::test]
async fn an_allowed_origin_may_send_and_read_what_clients_need() {
    let origin = "https://shop.example";
    let app = Shop::open_with(|config| config.http.allowed_origins = vec![origin.to_owned()]).await;
    let asked = "if-match, if-none-match, traceparent, mcp-method, mcp-name, authorization, content-type";
    let preflight = app.call(reqwest::Method::OPTIONS, "/api/products").header("origin", origin);
    let preflight = preflight.header("access-control-request-method", "PATCH");
    let preflight = preflight.header("access-control-request-headers", asked).send().await;
    assert_eq!(preflight.status, 200);
    let allowed = preflight.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    for name in asked.split(", ") {
        assert!(allowed.contains(name), "{name}: {allowed}");
    }
    let answer = app.get("/api/auth/me").header("origin", origin).send().await;
    let exposed = answer.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    for name in ["etag", "location", "www-authenticate", "link", "x-total-count"] {
        assert!(exposed.split(',').any(|exposed| exposed.trim() == name), "{name}: {exposed}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn tls_is_demanded_of_browsers_that_came_over_it() {
    let https = |config: &mut Config| config.http.public_url = Some("https://shop.example".to_owned());
    let app = Shop::open_with(https).await;
    assert_eq!(app.get("/healthz").send().await.header("strict-transport-security"), Some("max-age=31536000"));
    app.shutdown().await;

    let app = Shop::open_with(|config| config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let from = |scheme: &str| app.get("/healthz").header("x-forwarded-proto", scheme).send();
    assert!(from("https").await.header("strict-transport-security").is_some());
    assert_eq!(from("https, http").await.header("strict-transport-security"), None);
    assert_eq!(app.get("/healthz").send().await.header("strict-transport-security"), None);
    app.shutdown().await;

    let app = Shop::open().await;
    let stranger = app.get("/healthz").header("x-forwarded-proto", "https").send().await;
    assert_eq!(stranger.header("strict-transport-security"), None);
    app.shutdown().await;
}
