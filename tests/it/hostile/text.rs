//! Text may have any characters, and is stored and shown unchanged, except for invisible characters at the ends of
//! required text. Names and lines of addresses have no control characters. Money has two decimals.

use microbazaar::domain::text::{has_control, trim_invisible};
use serde_json::{Value, json};

use super::{
    callers::{Badges, Caller},
    forms,
    shop::Shop,
    targets::run,
    wire::Request,
};

const TEXTS: [&str; 12] = [
    "<script>alert('x')</script>",
    "\"><img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp; <b>",
    "'; DROP TABLE products; --",
    "{\"$gt\": \"\"} {{7*7}} ${7*7} %s %n",
    "\u{202e}evol\u{202c}\u{200b}\u{feff}",
    "e\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦🏳️‍🌈💥",
    "مرحبا שלום नमस्ते 你好",
    "a\u{0}b",
    "line\r\nset-cookie: a=b\ttab",
    "  spaces around  ",
];

#[test]
fn any_characters_are_stored_and_shown_unchanged() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (seller, user) = (badges.token(Caller::Seller), badges.token(Caller::User));
        for (at, text) in TEXTS.into_iter().enumerate() {
            let seen = trim_invisible(text);
            let product = json!({"title": text, "description": text, "category": text, "priceAmount": 1, "stock": 9});
            let made = shop.post("/api/products", seller.as_deref(), &product).await["product"].clone();
            let path = format!("/api/products/{}", made["_id"].as_str().unwrap());
            let shown = shop.get(&path, None).await;
            assert_eq!((&shown["title"], &shown["description"]), (&json!(seen), &json!(text)));
            assert_eq!(shown["category"], json!(seen));

            let form =
                [forms::field("title", text), forms::field("description", text), forms::field("priceAmount", "1")];
            let by_form = forms::form(&form)("POST", "/api/products").bearer(seller.as_deref());
            let by_form = shop.ask(&by_form).await.json();
            assert_eq!(by_form["product"]["title"], json!(seen), "{by_form}");

            let item = json!({"productId": made["_id"], "quantity": 1});
            shop.post("/api/cart/items", user.as_deref(), &item).await;
            let account = |text: &str| {
                json!({"email": format!("text{at}@shop.example"), "password": format!("{text} long enough"),
                "fullName": {"firstName": text, "lastName": text}})
            };
            let line = |text: &str| json!({"fullName": text, "street": text, "city": text, "state": "MH", "country": "IN", "zip": "411001"});
            // Names and lines of an address are single lines.
            let on_one_line = text.replace(|c: char| c.is_control(), " ");
            if has_control(trim_invisible(text)) {
                let order = Request::new("POST", "/api/orders").bearer(user.as_deref());
                let order = order.json(json!({"shippingAddress": line(text)}).to_string());
                let register = Request::new("POST", "/api/auth/register").json(account(text).to_string());
                for (request, status, path) in
                    [(order, 422, "shippingAddress.fullName"), (register, 400, "fullName.firstName")]
                {
                    let refused = shop.ask(&request).await;
                    assert_eq!((refused.status, &refused.json()["errors"][0]["path"]), (status, &json!(path)));
                }
            }
            let (text, seen) = (on_one_line.as_str(), trim_invisible(&on_one_line));
            let (line, account) = (line(text), account(text));
            let titled = trim_invisible(TEXTS[at]);
            let order = shop.post("/api/orders", user.as_deref(), &json!({"shippingAddress": line})).await;
            let order =
                shop.get(&format!("/api/orders/{}", order["order"]["_id"].as_str().unwrap()), user.as_deref()).await;
            let kept = json!({"fullName": seen, "street": seen, "city": seen, "state": "MH", "country": "IN", "zip": "411001"});
            assert_eq!(order["order"]["shippingAddress"], kept);
            let titles: Vec<&Value> =
                order["order"]["items"].as_array().unwrap().iter().map(|line| &line["title"]).collect();
            assert!(titles.contains(&&json!(titled)), "{titles:?}");
            // A user may have few unpaid orders at once.
            let cancel = format!("/api/orders/{}/cancel", order["order"]["_id"].as_str().unwrap());
            shop.post(&cancel, user.as_deref(), &json!({})).await;

            let registered = shop.post("/api/auth/register", None, &account).await;
            let me = shop.get("/api/auth/me", registered["token"].as_str()).await;
            assert_eq!(me["user"]["fullName"], json!({"firstName": seen, "lastName": seen}));
            shop.post("/api/auth/login", None, &json!({"email": account["email"], "password": account["password"]}))
                .await;
        }
        let page = shop.ask(&Request::new("GET", "/dev/mailbox")).await;
        let page = String::from_utf8_lossy(&page.body);
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "markup is shown as markup");
        shop.is_well().await;
        shop.close().await;
    });
}

#[test]
fn limits_count_characters_and_not_bytes() {
    run(async {
        let shop = Shop::open().await;
        let seller = Badges::of(&shop).await.token(Caller::Seller);
        for (field, most) in [("title", 200), ("description", 10_000), ("category", 100)] {
            for (length, status) in [(most, 201), (most + 1, 400)] {
                let mut product = json!({"title": "Lamp", "priceAmount": 1});
                product[field] = "é".repeat(length).into();
                let request = Request::new("POST", "/api/products").bearer(seller.as_deref()).json(product.to_string());
                let answer = shop.ask(&request).await;
                assert_eq!(answer.status, status, "{length} of {field}");
                if status == 400 {
                    assert_eq!(answer.json()["errors"][0]["path"], field);
                }
            }
        }
        shop.close().await;
    });
}

#[test]
fn a_third_decimal_is_refused_everywhere() {
    run(async {
        let shop = Shop::open().await;
        let seller = Badges::of(&shop).await.token(Caller::Seller);
        let path = format!("/api/products/{}", shop.own.product);
        let before = shop.get(&path, None).await;
        for raw in ["0.001", "1.005", "499.999", "1e-3", "\"0.001\"", "\"1.005\"", "\"1e-3\"", "499.9900000000000001"] {
            let make = Request::new("POST", "/api/products").json(format!("{{\"title\":\"x\",\"priceAmount\":{raw}}}"));
            let patch = Request::new("PATCH", path.clone()).json(format!("{{\"price\":{{\"amount\":{raw}}}}}"));
            let text = raw.trim_matches('"');
            let form = forms::form(&[forms::field("title", "x"), forms::field("priceAmount", text)]);
            for (request, place) in
                [(make, "priceAmount"), (patch, "price.amount"), (form("POST", "/api/products"), "priceAmount")]
            {
                let answer = shop.ask(&request.bearer(seller.as_deref())).await;
                assert_eq!(answer.status, 400, "{raw} at {place}");
                let output = answer.json()["errors"][0]["path"].as_str().unwrap().to_owned();
                assert!(place.ends_with(&output) && !output.is_empty(), "{raw} at {place}: {output}");
            }
            let search = Request::new("GET", format!("/api/products?minprice={text}"));
            assert_eq!(shop.ask(&search).await.status, 400, "{raw} in a search");
        }
        assert_eq!(shop.get(&path, None).await, before);
        shop.close().await;
    });
}
