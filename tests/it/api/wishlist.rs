//! Wishlists of users and guests.

use std::sync::Arc;

use futures_util::future::{join_all, join3};
use microbazaar::{
    domain::ids::{ProductId, UserId},
    store::wishlists::{PRODUCTS_MAX, WishlistStore},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, PASSWORD, Person, Shop, blocking::until_found, id, pages::browser::Browser};

async fn wish(app: &Shop, method: Method, who: &Person, product: &str) -> Answer {
    app.call(method, &format!("/api/wishlist/{product}")).token(&who.token).send().await
}

async fn wish_all(app: &Shop, method: Method, who: &Person, products: &[String]) -> Vec<Answer> {
    join_all(products.iter().map(|product| wish(app, method.clone(), who, product))).await
}

/// The ids in the wishlist.
async fn wished(app: &Shop, who: &Person) -> Vec<String> {
    app.read(&who.token, "/api/wishlist").await.as_array().unwrap().iter().map(id).collect()
}

fn store(app: &Shop) -> WishlistStore {
    WishlistStore::new(Arc::clone(&app.stores().backend))
}

#[actix_web::test]
async fn a_wishlist_has_the_saved_products_that_are_for_sale() {
    let app = Shop::open().await;
    let (seller, admin, asha) = (app.seller("mira").await, app.admin().await, app.user("asha").await);
    let (lamp, mug) = (app.product(&seller, "Lamp", 10.0, 5).await, app.product(&seller, "Mug", 9.0, 5).await);
    assert_eq!(wished(&app, &asha).await, Vec::<String>::new());
    for product in [&lamp, &mug, &lamp] {
        assert_eq!(wish(&app, Method::PUT, &asha, product).await.expect(204), Value::Null);
    }
    assert_eq!(wished(&app, &asha).await, [mug.clone(), lamp.clone()], "newest first, each once");
    let listed = app.get("/api/wishlist?limit=1").token(&asha.token).send().await;
    assert_eq!((listed.header("x-total-count"), listed.header("cache-control")), (Some("2"), Some("no-store")));
    assert!(listed.header("link").is_some_and(|link| link.contains("skip=1")), "{listed:?}");
    let mut product = app.get(&format!("/api/products/{mug}")).send().await.expect(200);
    product["__v"] = json!(1);
    assert_eq!(listed.expect(200), json!([product]));
    let second = app.read(&asha.token, "/api/wishlist?page=2&limit=1").await;
    assert_eq!(second.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), std::slice::from_ref(&lamp));
    app.get("/api/wishlist?limit=0").token(&asha.token).send().await.invalid("limit");

    let set = async |what: &str| {
        let call = app.post(&format!("/api/admin/products/{mug}/{what}")).token(&admin.token);
        call.json(&json!({})).send().await.expect(200)
    };
    set("take-down").await;
    assert_eq!(wished(&app, &asha).await, std::slice::from_ref(&lamp));
    wish(&app, Method::PUT, &asha, &mug).await.expect(404);
    set("approve").await;
    assert_eq!(wished(&app, &asha).await, [mug.clone(), lamp.clone()]);
    app.delete(&format!("/api/products/{mug}")).token(&seller.token).send().await.expect(204);
    assert_eq!(wished(&app, &asha).await, std::slice::from_ref(&lamp));
    let user: UserId = asha.id.parse().unwrap();
    assert_eq!(store(&app).of_user(user).await, Ok(vec![lamp.parse().unwrap()]), "a deleted product is removed");

    for product in [&lamp, &lamp, &mug, &asha.id] {
        wish(&app, Method::DELETE, &asha, product).await.expect(204);
    }
    assert_eq!(wished(&app, &asha).await, Vec::<String>::new());
    wish(&app, Method::PUT, &asha, &asha.id).await.expect(404);
    wish(&app, Method::PUT, &asha, "lamp").await.invalid("productId");
    wish(&app, Method::PUT, &seller, &lamp).await.expect(403);
    app.get("/api/wishlist").send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn concurrent_changes_are_all_kept_and_a_full_wishlist_refuses_more() {
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let mut products = vec![];
    for number in 0..12 {
        products.push(app.product(&seller, &format!("Lamp {number}"), 10.0, 5).await);
    }
    let (old, new) = products.split_at(6);
    for answer in wish_all(&app, Method::PUT, &asha, old).await {
        answer.expect(204);
    }
    let (added, again, removed) = join3(
        wish_all(&app, Method::PUT, &asha, new),
        wish_all(&app, Method::PUT, &asha, new),
        wish_all(&app, Method::DELETE, &asha, old),
    )
    .await;
    for answer in [added, again, removed].iter().flatten() {
        answer.expect(204);
    }
    let mut left = wished(&app, &asha).await;
    left.sort();
    let mut expected = new.to_vec();
    expected.sort();
    assert_eq!(left, expected);

    let others: Vec<ProductId> = (new.len() + 1..PRODUCTS_MAX).map(|_| ProductId::generate()).collect();
    assert_eq!(store(&app).set(asha.id.parse().unwrap(), &others, true).await, Ok(true));
    let mut answers = wish_all(&app, Method::PUT, &asha, &old[..2]).await;
    answers.sort_by_key(|answer| answer.status);
    answers[0].expect(204);
    answers[1].refused(409, "wishlist.full");
    wish(&app, Method::PUT, &asha, &new[0]).await.expect(204);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_guests_wishlist_is_merged_once_at_login() {
    let app = Shop::open().await;
    let seller = app.seller("weaver").await;
    let (lamp, rug) = (app.product(&seller, "Lamp", 10.0, 5).await, app.product(&seller, "Rug", 10.0, 5).await);
    until_found(&app, "", &[&rug, &lamp]).await;
    let [on_lamp, on_rug] = [&lamp, &rug].map(|product| format!("/wishlist/{product}"));
    let browser = Browser::new(&app);
    browser.open("/wishlist").await.has("Nothing is saved yet");
    let home = browser.press(&browser.open("/").await, &on_lamp).await;
    assert_eq!((home.path.as_str(), home.is_on(&on_lamp), home.is_on(&on_rug)), ("/", true, false));
    home.has("Saved to your wishlist.");
    browser.press(&browser.open(&format!("/products/{rug}")).await, &on_rug).await;
    let page = browser.open("/wishlist").await;
    assert!(page.body.find(">Rug<") < page.body.find(">Lamp<"), "newest first: {}", page.body);
    browser.press(&page, &on_rug).await.has("Removed from your wishlist.").lacks(">Rug<");
    browser.sign_up("asha").await;
    browser.press(&browser.open("/").await, &on_rug).await;

    let out = browser.submit(&browser.open("/wishlist").await, "/logout", &[]).await;
    assert_eq!((out.is_on(&on_lamp), out.is_on(&on_rug)), (false, false));
    browser.press(&out, &on_lamp).await;
    // Twice, as a double click does; a product that is saved already stays in its place.
    let form = browser.open("/login").await;
    let fields = [("email", "asha@example.com"), ("password", PASSWORD)];
    join_all((0..2).map(|_| browser.submit(&form, "/login", &fields))).await;
    let page = browser.open("/wishlist").await;
    assert!(page.body.find(">Rug<") < page.body.find(">Lamp<"), "{}", page.body);
    assert_eq!(page.body.matches("class=\"card\"").count(), 2);
    let out = browser.submit(&page, "/logout", &[]).await;
    assert!(!out.is_on(&on_lamp), "after the merge the browser stores nothing");

    assert_eq!(browser.post("/wishlist/lamp", &[("csrf", &out.act("csrf")), ("on", "true")]).await.status, 404);
    assert_eq!(browser.post(&on_lamp, &[("csrf", "x"), ("on", "true")]).await.status, 403);
    browser.log_in("weaver").await.lacks("/wishlist");
    assert_eq!(browser.get("/wishlist").await.status, 403);
    app.shutdown().await;
}
