//! Searching products.

use serde_json::{Value, json};

use super::{Shop, text};

async fn shop() -> Shop {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    for (title, description, price, category) in [
        ("Brass lantern", "For the garden", 900.0, "Garden"),
        ("Desk lamp", "Warm light", 499.5, "Home"),
        ("Table", "Goes well with a lantern", 2_000.0, "Home"),
        ("Café cup", "White", 120.25, "Kitchen"),
    ] {
        let body =
            json!({"title": title, "description": description, "priceAmount": price, "stock": 1, "category": category});
        app.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
    }
    app.until("the index", "", "/api/products", |list| list.as_array().unwrap().len() == 4).await;
    app
}

async fn titles(app: &Shop, query: &str) -> Vec<String> {
    let found = app.get(&format!("/api/products?{query}")).send().await.expect(200);
    found.as_array().unwrap().iter().map(|product| text(&product["title"])).collect()
}

#[actix_web::test]
async fn words_typos_and_prefixes_find_products() {
    let app = shop().await;
    assert_eq!(titles(&app, "q=lantern").await, ["Brass lantern", "Table"], "a title counts more");
    assert_eq!(titles(&app, "q=lantren").await.first().map(String::as_str), Some("Brass lantern"));
    assert_eq!(titles(&app, "q=lant").await.len(), 2);
    assert_eq!(titles(&app, "q=DESK+LAMP").await, ["Desk lamp"]);
    assert_eq!(titles(&app, "q=cafe").await, ["Café cup"]);
    assert_eq!(titles(&app, "q=zzzzzz").await, [""; 0]);
    app.shutdown().await;
}

#[actix_web::test]
async fn filters_and_sorts_narrow_and_order() {
    let app = shop().await;
    assert_eq!(titles(&app, "sort=price").await, ["Café cup", "Desk lamp", "Brass lantern", "Table"]);
    assert_eq!(titles(&app, "sort=-price").await, ["Table", "Brass lantern", "Desk lamp", "Café cup"]);
    assert_eq!(titles(&app, "").await, ["Café cup", "Table", "Desk lamp", "Brass lantern"], "newest first");
    assert_eq!(titles(&app, "sort=newest&limit=1&skip=1").await, ["Table"]);
    assert_eq!(titles(&app, "category=home&sort=price").await, ["Desk lamp", "Table"]);
    assert_eq!(titles(&app, "minprice=120.25&maxprice=499.5&sort=price").await, ["Café cup", "Desk lamp"]);
    assert_eq!(titles(&app, "minprice=120.26&maxprice=499.49").await, [""; 0]);
    assert_eq!(titles(&app, "q=lantern&maxprice=1000&sort=relevance").await, ["Brass lantern"]);
    for (query, name) in [
        ("sort=cheap", "sort"),
        ("sort=", "sort"),
        ("minprice=x", "minprice"),
        ("maxprice=1.005", "maxprice"),
        ("minprice=", "minprice"),
        ("q=a&q=b", "q"),
    ] {
        app.get(&format!("/api/products?{query}")).send().await.invalid(name);
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn no_query_causes_an_error() {
    let app = shop().await;
    let long = "a".repeat(7_000);
    for q in [
        "%22",
        "%28%28%28",
        "*",
        "%3F",
        "~2",
        "lamp%5E9999",
        "title%3Alamp",
        "-lamp",
        "%2Blamp%20-",
        "AND%20OR%20NOT",
        "%00",
        "%F0%9F%92%A1",
        "%5C",
        "%27%3B%20DROP%20TABLE%20products%3B--",
        "%5Ba%20TO%20z%5D",
        "a%2F..%2Fb",
        "%E2%80%AE",
        &long,
    ] {
        let answer = app.get(&format!("/api/products?q={q}")).send().await;
        assert!([200, 400, 414].contains(&answer.status), "{q}: {answer:?}");
    }
    app.get("/api/products?q=%FF").send().await.invalid("q");
    assert_eq!(titles(&app, "q=").await.len(), 4);
    assert_eq!(titles(&app, "unknown=1").await.len(), 4);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_change_and_a_deletion_reach_the_search() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let lamp = app.product(&seller, "Lamp", 1.0, 5).await;
    let is = |n: usize| move |list: &serde_json::Value| list.as_array().unwrap().len() == n;
    app.until("the lamp", "", "/api/products?q=lamp", is(1)).await;
    let path = format!("/api/products/{lamp}");
    app.patch(&path).token(&seller.token).json(&json!({"title": "Bucket"})).send().await.expect(200);
    app.until("the bucket", "", "/api/products?q=bucket", is(1)).await;
    app.until("no lamp", "", "/api/products?q=lamp", is(0)).await;
    app.delete(&path).token(&seller.token).send().await.expect(204);
    app.until("no bucket", "", "/api/products?q=bucket", is(0)).await;
    app.shutdown().await;
}

#[actix_web::test]
async fn a_damaged_index_is_rebuilt_while_the_shop_runs() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let mut made = 0;
    for _ in 0..20 {
        app.product(&seller, &format!("Lantern {made}"), 10.0, 5).await;
        made += 1;
    }
    let all = |made: usize| move |found: &Value| found.as_array().unwrap().len() == made;
    app.until("the index", "", "/api/products?q=lantern&limit=100", all(made)).await;
    let dir = app.config.own_folder().join("search");
    let files = || std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    // The index merges its files meanwhile: a file may be gone already, or appear while its folder is emptied.
    let gone = |remove: &dyn Fn() -> std::io::Result<()>| {
        let started = std::time::Instant::now();
        while let Err(error) = remove() {
            match error.kind() {
                std::io::ErrorKind::NotFound => return,
                std::io::ErrorKind::DirectoryNotEmpty if started.elapsed() < test_support::DEADLINE => {}
                _ => panic!("{error}"),
            }
        }
    };
    for round in 0..4 {
        match round {
            0 => files().for_each(|path| std::fs::write(path, []).unwrap()),
            1 => files().for_each(|path| gone(&|| std::fs::remove_file(&path))),
            2 => gone(&|| std::fs::remove_dir_all(&dir)),
            _ => std::fs::write(dir.join("meta.json"), "no JSON").unwrap(),
        }
        for word in ["lantern", "lantren", "lan"] {
            assert_eq!(titles(&app, &format!("q={word}+{round}")).await.len(), 1, "round {round}: searches still work");
        }
        for _ in 0..5 {
            app.product(&seller, &format!("Lantern {made}"), 10.0, 5).await;
            made += 1;
        }
        app.until("the index again", "", "/api/products?q=lantern&limit=100", all(made)).await;
        app.get("/healthz").send().await.expect(200);
        // The files on disk are valid as well: the next start opens them.
        let whole = || {
            std::fs::read(dir.join("meta.json")).is_ok_and(|meta| meta.starts_with(b"{\"") || meta.starts_with(b"{\n"))
        };
        let started = std::time::Instant::now();
        while !whole() {
            assert!(started.elapsed() < test_support::DEADLINE, "round {round}: the files are there again");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let app = app.restart().await;
    app.until("the index after a start", "", "/api/products?q=lantern&limit=100", all(made)).await;
    app.shutdown().await;
}
