//! The shop's public address: links use it, whatever the `Host` header says.

use microbazaar::config::Environment;
use serde_json::{Value, json};

use super::{Answer, Shop, id};

const SHOP: &str = "https://shop.example";
const APP: &str = "https://app.example";

async fn shop() -> Shop {
    Shop::open_with(|config| {
        config.http.public_url = Some(SHOP.to_owned());
        config.http.allowed_origins = vec![APP.to_owned()];
    })
    .await
}

/// The page for a browser with this `Host` header; redirects are not followed.
async fn page_at(app: &Shop, host: &str, path: &str) -> (Answer, String) {
    let client = microbazaar::runtime::http_client::builder().redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().get(format!("{}{path}", app.base()));
    let request = request.header("accept", "text/html").header("host", host).header("x-forwarded-host", host);
    let answer = request.header("forwarded", format!("host={host}")).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    (Answer::checked(status, headers, body.clone().into()), body)
}

/// The result of a socket connection with this cookie from a page of `origin`.
async fn connect(app: &Shop, token: &str, headers: &[(&str, &str)]) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let with = |mut call: reqwest::RequestBuilder| {
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        call.header("cookie", format!("token={token}"))
    };
    let opened = with(app.http.get(format!("{}{path}", app.base()))).send().await.unwrap().text().await.unwrap();
    let opened: Value = serde_json::from_str(&opened[1..]).unwrap();
    let session = format!("{}{path}&sid={}", app.base(), opened["sid"].as_str().unwrap());
    with(app.http.post(&session)).body("40").send().await.unwrap();
    with(app.http.get(&session)).send().await.unwrap().text().await.unwrap()
}

#[actix_web::test]
async fn links_use_the_public_url_whatever_the_host_header() {
    let app = shop().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 30).await;
    let found = |found: &Value| !found.as_array().unwrap().is_empty();
    app.until("the lamp", "", "/api/products?q=lamp", found).await;
    for host in ["evil.example", "127.0.0.1", "shop.example:8443", "app.example"] {
        for (path, link) in [
            ("/".to_owned(), format!("<link rel=\"canonical\" href=\"{SHOP}/")),
            (format!("/products/{lamp}"), format!("<meta property=\"og:url\" content=\"{SHOP}/products/{lamp}")),
            ("/sitemap.xml".to_owned(), format!("<loc>{SHOP}/products/{lamp}")),
            ("/robots.txt".to_owned(), format!("Sitemap: {SHOP}/sitemap.xml")),
        ] {
            let (answer, body) = page_at(&app, host, &path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(body.contains(&link), "{path} of {host}: {body}");
            for foreign in ["evil.example", APP, "shop.example:8443", &app.base()] {
                assert!(!body.contains(foreign), "{path} of {host} names {foreign}: {body}");
            }
        }
        for path in ["/account", "/favicon.ico", "/orders"] {
            let (answer, body) = page_at(&app, host, path).await;
            let to = answer.header("location").unwrap_or_default().to_owned();
            assert!(to.starts_with('/') && !to.starts_with("//"), "{path} of {host} leads to {to:?}: {body}");
        }
    }
    let listed = app.get("/api/products?limit=1&page=1").header("host", "evil.example").send().await;
    assert!(!listed.header("link").unwrap_or_default().contains("evil"), "{listed:?}");

    let order = app.order(&asha, &lamp, 2).await;
    app.pay(&asha, &order).await;
    let mails = app.mails(&asha).await;
    assert!(mails.iter().any(|mail| mail.1.contains(&format!("{SHOP}/orders/{}", id(&order)))), "{mails:?}");
    for (subject, text, html) in mails.iter().chain(&app.mails(&seller).await) {
        for body in [text, html] {
            for (at, _) in body.match_indices("://") {
                assert!(body[at.saturating_sub(5)..].starts_with(SHOP), "{subject}: {body}");
            }
        }
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn without_a_public_url_links_use_the_listen_address() {
    let app = Shop::open_with(|config| config.http.allowed_origins = vec![APP.to_owned()]).await;
    let asha = app.user("asha").await;
    let (_, map) = page_at(&app, "evil.example", "/sitemap.xml").await;
    assert!(map.contains(&format!("<loc>{}/</loc>", app.base())), "{map}");
    app.settle().await;
    let mails = app.mails(&asha).await;
    assert!(mails.iter().all(|mail| mail.1.contains(&app.base()) && !mail.1.contains(APP)), "{mails:?}");
    assert!(!mails.is_empty());
    app.shutdown().await;
}

#[actix_web::test]
async fn an_agent_gets_an_absolute_checkout_link() {
    let app = shop().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 30).await;
    app.add_to_cart(&asha, &lamp, 2).await.expect(200);
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "prepare_checkout", "arguments": {}}});
    let output = app.post("/mcp").token(&asha.token).json(&call).send().await.expect(200);
    let link = output["result"]["structuredContent"]["link"].as_str().unwrap_or_default().to_owned();
    assert!(link.starts_with(&format!("{SHOP}/checkout?summary=")), "{output}");
    app.shutdown().await;
}

#[actix_web::test]
async fn cookies_are_for_the_public_url_whatever_the_host_header() {
    for environment in [Environment::Development, Environment::Production] {
        let app = Shop::open_with(|config| {
            config.http.public_url = Some(SHOP.to_owned());
            config.http.allowed_origins = vec![APP.to_owned()];
            config.environment = environment;
        })
        .await;
        let asha = app.user("asha").await;
        let own = app.base().clone();
        let local = environment == Environment::Development;
        let matrix: [(&[(&str, &str)], bool); 9] = [
            (&[("origin", SHOP)], true),
            (&[("origin", SHOP), ("sec-fetch-site", "same-site")], true),
            (&[("origin", APP)], true),
            (&[("origin", &own)], local),
            (&[("origin", "https://evil.example"), ("host", "evil.example")], false),
            (&[("origin", "http://shop.example"), ("host", "shop.example")], false),
            (&[("origin", "http://127.0.0.1.evil.example"), ("host", "127.0.0.1.evil.example")], false),
            (&[("origin", "http://localhost.evil.example"), ("host", "localhost.evil.example")], false),
            (&[("origin", "http://127.0.0.1:1")], false),
        ];
        for (headers, passes) in matrix {
            let mut call = app.call(reqwest::Method::DELETE, "/api/cart").cookie(&asha.token);
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let answer = call.send().await;
            assert_eq!(answer.status, if passes { 200 } else { 403 }, "{environment:?} {headers:?}");
            let output = connect(&app, &asha.token, headers).await;
            let start = if passes { "40" } else { "44" };
            assert!(output.starts_with(start), "{environment:?} {headers:?}: a socket gets {output}");
        }
        app.shutdown().await;
    }
}
