//! What all pages have in common: headers, errors, assets, escaping, metadata for search engines.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, Shop, encode, shop};
use test_support::DEADLINE;

/// Loads the home page until the search index is up to date.
async fn until_listed(browser: &Browser, path: &str, text: &str) -> super::Doc {
    let started = std::time::Instant::now();
    loop {
        let page = browser.open(path).await;
        if page.body.contains(text) {
            return page;
        }
        assert!(started.elapsed() < DEADLINE, "{text} is not listed: {}", page.body);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[actix_web::test]
async fn pages_are_protected_and_personal() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    for path in ["/", "/login", "/register", "/cart", &format!("/products/{product}"), "/nowhere", "/products/x"] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        for part in ["connect-src 'self';", "object-src 'none'", "base-uri 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        let anywhere = |source: &str| source.ends_with(':') && !matches!(source, "data:" | "blob:");
        assert!(!policy.split([' ', ';']).any(|source| anywhere(source) || source.contains('*')), "{path}: {policy}");
        assert!(!policy.contains("razorpay") && !policy.contains("://"), "{path}: {policy}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert!(page.header("cache-control").contains("private"), "{path}");
        page.lacks(" style=").lacks(" onclick=").lacks("<style").has("<main id=\"main\"").has("<h1");
        for script in page.body.split("<script").skip(1) {
            assert!(script.starts_with(" type=\"module\" src=\"/assets/") || script.contains("ld+json"), "{script}");
        }
    }
    browser.sign_up("asha").await;
    assert_eq!(browser.open("/account").await.header("cache-control"), "private, no-store");
    app.shutdown().await;
}

#[actix_web::test]
async fn assets_are_cached_for_good_and_pages_small() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    let home = until_listed(&browser, "/", "Brass lamp").await;
    let mut size = home.body.len();
    let mut urls: Vec<&str> = home.body.split('"').filter(|text| text.starts_with("/assets/")).collect();
    urls.dedup();
    assert!(urls.len() >= 4, "{urls:?}");
    for url in urls {
        let asset = browser.open(url).await;
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable", "{url}");
        size += asset.body.len();
    }
    assert!(size < 100_000, "the home page takes {size} bytes without pictures");
    assert_eq!(browser.get("/assets/app.000000000000.css").await.status, 404);
    assert_eq!(browser.open("/assets/app.css").await.header("cache-control"), "no-cache");
    for encoding in ["gzip", "br"] {
        let asked = app.http.get(format!("{}/products/{product}", app.base())).header("accept-encoding", encoding);
        let answer = asked.header("accept", "text/html").send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], encoding);
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_unknown_page_has_an_error_page_and_an_error_body() {
    let (app, _) = shop(1).await;
    let browser = Browser::new(&app);
    for path in
        ["/nowhere", "/products/665f1f77bcf86cd799439099", "/products/not-an-id", "/products/%ff", "/orders/a/b"]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        page.has("We cannot find that").has("role=\"search\"");
    }
    let refused = browser.post("/nowhere", &[]).await;
    assert_eq!(refused.status, 404);
    assert_eq!(browser.post("/login", &[]).await.status, 403);
    let refused = browser.get("/logout").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "POST"));
    app.get("/nowhere").send().await.refused(404, "not_found");
    app.get("/api/nowhere").header("accept", "text/html").send().await.refused(404, "not_found");
    let root = app.get("/").header("accept", "application/json").send().await.expect(200);
    assert_eq!(root["name"], "microbazaar");
    app.shutdown().await;
}

#[actix_web::test]
async fn markup_in_user_text_is_escaped() {
    let app = Shop::open().await;
    let seller = app.seller("maker").await;
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let body = json!({"title": evil, "description": evil, "category": evil, "priceAmount": 5, "stock": 3});
    let made = app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    let id = made["product"]["_id"].as_str().unwrap().to_owned();
    let browser = Browser::new(&app);
    let form = browser.open("/register").await;
    let fields = [("email", "eve@example.com"), ("password", "correct horse"), ("first_name", evil)];
    browser.submit(&form, "/register", &fields).await;
    until_listed(&browser, "/", "&#60;/script&#62;").await;
    let search = format!("/?q={}&category={}&minprice={}", encode(evil), encode(evil), encode(evil));
    browser.put(&id, "1").await;
    for path in ["/", &search, &format!("/products/{id}"), "/cart", "/checkout", "/account"] {
        browser.open(path).await.lacks("<script>alert").lacks("<img src=x").lacks("\"'&");
    }
    let page = browser.open(&format!("/products/{id}")).await;
    let data = page.body.split("<script type=\"application/ld+json\">").nth(1).unwrap();
    let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
    assert_eq!((&data["@type"], &data["name"]), (&json!("Product"), &json!(evil)));
    assert_eq!((&data["offers"]["price"], &data["offers"]["priceCurrency"]), (&json!("5.00"), &json!("INR")));
    app.shutdown().await;
}

#[actix_web::test]
async fn products_are_found_filtered_sorted_and_paged_by_links() {
    let app = Shop::open().await;
    let seller = app.seller("maker").await;
    for number in 1..=30 {
        let category = if number % 2 == 0 { "Home & Living" } else { "Books" };
        let title = format!("Thing {number:02}");
        let body = json!({"title": title, "priceAmount": number * 100, "stock": 9, "category": category});
        app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    }
    let browser = Browser::new(&app);
    let home = until_listed(&browser, "/", "<p>30 products").await;
    home.has("Page 1 of 2").has("href=\"/?page=2\"").has("Home &#38; Living <span>15</span>");
    assert_eq!(home.body.matches("class=\"card\"").count(), 24);
    let second = browser.open("/?page=2").await;
    assert_eq!(second.body.matches("class=\"card\"").count(), 6);
    second.has("rel=\"prev\" href=\"/\"");
    let cheap = browser.open("/?sort=price&category=Home+%26+Living&minprice=300&maxprice=800").await;
    cheap.has("3 products").has("₹400.00").lacks("₹200.00").has("aria-current=\"true\"");
    let (first, last) = (cheap.body.find("₹400.00").unwrap(), cheap.body.find("₹800.00").unwrap());
    assert!(first < last);
    browser.open("/?q=nothing-like-this").await.has("Nothing matches that").has("value=\"nothing-like-this\"");
    browser.open("/?minprice=9&maxprice=1").await.has("id=\"price-error\"");
    for odd in
        ["/?page=0", "/?page=-1", "/?page=99999999999999999999", "/?sort=x&minprice=x&maxprice=1e9", "/?q=%ff&&==&q"]
    {
        browser.open(odd).await;
    }
    let found = until_listed(&browser, "/?q=thing+07", "Thing 07").await;
    let at = found.body.find("/products/").unwrap();
    let product = found.body[at..].split('"').next().unwrap().to_owned();
    browser.open(&product).await.has("<link rel=\"canonical\" href=\"").has("og:title").has("You may also like");
    browser.open("/").await.has("Recently viewed");
    let map = browser.open("/sitemap.xml").await;
    assert_eq!(map.body.matches("/products/").count(), 30);
    map.has("<loc>http://127.0.0.1").has("/?category=Home%20%26%20Living");
    browser.open("/robots.txt").await.has("Sitemap: http://").has("Disallow: /checkout");
    assert_eq!(browser.open("/favicon.ico").await.header("content-type"), "image/svg+xml");
    app.shutdown().await;
}

#[actix_web::test]
async fn hostile_input_gets_an_error_page() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    let page = browser.open(&format!("/products/{product}")).await;
    let token = page.field("/cart", "csrf");
    let long = "x".repeat(600_000);
    assert_eq!(browser.post("/cart", &[("csrf", &token), ("a", &long)]).await.status, 413);
    let many: Vec<(&str, &str)> = std::iter::repeat_n(("a", "b"), 400).collect();
    assert_eq!(browser.post("/cart", &many).await.status, 400);
    for id in ["x", "665f1f77bcf86cd799439099", ""] {
        let answer = browser.post("/cart", &[("csrf", &token), ("product", id), ("quantity", "1")]).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    for cookie in
        ["visit=x; guest_cart=y; flash=z; seen=..", "guest_cart=é; token=a.b.c", "=;;==", &"a=b; ".repeat(500)]
    {
        let asked = app.http.get(format!("{}/cart", app.base())).header("accept", "text/html");
        let asked = asked.header("cookie", reqwest::header::HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        assert_eq!(asked.send().await.unwrap().status(), 200, "{cookie}");
    }
    for (media, body) in
        [("application/json", "{}"), ("text/plain", ""), ("multipart/form-data; boundary=x", "--x\r\n")]
    {
        let asked = app.http.post(format!("{}/login", app.base())).header("content-type", media).body(body);
        let status = asked.send().await.unwrap().status().as_u16();
        assert!((400..500).contains(&status), "{media}: {status}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_empty_shop_says_how_to_start() {
    let app = Shop::open().await;
    let guest = Browser::new(&app);
    for path in ["/", "/?sort=newest", "/?page=2", "/?q=lamp", "/?category=Home", "/?minprice=5"] {
        guest
            .open(path)
            .await
            .has("Nothing is on offer yet")
            .has("href=\"/register?role=seller\"")
            .lacks("Nothing matches");
    }
    guest.open("/register?role=seller").await.has("value=\"seller\" checked");
    guest.open("/register").await.has("value=\"user\" checked");
    let buyer = Browser::new(&app);
    buyer.sign_up("asha").await;
    buyer.open("/").await.has("Nothing is on offer yet").lacks("/register?role=seller");
    let seller = app.seller("mira").await;
    app.product(&seller, "Brass lantern", 10.0, 5).await;
    until_listed(&guest, "/", "Brass lantern").await.lacks("on offer yet");
    guest.open("/?q=kettle").await.has("Nothing matches that").lacks("on offer yet");
    app.shutdown().await;
}

#[actix_web::test]
async fn times_have_their_zone_and_can_be_converted() {
    let (app, product) = shop(5).await;
    let buyer = Browser::new(&app);
    buyer.sign_up("asha").await;
    buyer.put(&product, "1").await;
    super::check_out(&buyer).await;
    let orders = buyer.open("/orders").await;
    let at = orders.body.find("href=\"/orders/").unwrap() + 6;
    let order = buyer.open(orders.body[at..].split('"').next().unwrap()).await;
    for page in [&orders, &order] {
        let times: Vec<&str> = page.body.split("<time ").skip(1).collect();
        assert!(!times.is_empty(), "{}", page.body);
        for time in times {
            let moment = time.split('"').nth(1).unwrap();
            assert!(moment.len() <= "2026-01-02T03:04:05.678Z".len() && moment.ends_with('Z'), "{moment}");
            assert!(moment.parse::<jiff::Timestamp>().is_ok(), "{moment}");
            let text = time.split('>').nth(1).unwrap().split('<').next().unwrap();
            assert!(text.ends_with("UTC") || time.contains("data-local=\"day\""), "{text}");
        }
    }
    order.has("data-local=\"moment\"").has("/assets/time.").has("Coordinated Universal Time");
    app.shutdown().await;
}
