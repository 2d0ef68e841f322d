//! Carts without an account, and their merge at a login.

use super::{Browser, shop};

#[actix_web::test]
async fn a_guests_cart_is_merged_once() {
    let (app, lamp) = shop(5).await;
    let seller = app.seller("weaver").await;
    let rug = app.product(&seller, "Rug", 10.0, 5).await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser.put(&lamp, "1").await;
    browser.put(&rug, "3").await;
    let account = browser.open("/account").await;
    let out = browser.submit(&account, "/logout", &[]).await;
    assert_eq!((out.path.as_str(), out.badge()), ("/", 0));

    browser.put(&lamp, "4").await;
    let cart = browser.put(&rug, "1").await;
    assert_eq!(cart.badge(), 5);
    // Twice, like a double click.
    let form = browser.open("/login").await;
    let fields = [("email", "asha@example.com"), ("password", "correct horse")];
    let sent = (0..2).map(|_| browser.submit(&form, "/login", &fields));
    futures_util::future::join_all(sent).await;
    let cart = browser.open("/cart").await;
    assert_eq!(cart.badge(), 7, "{}", cart.body);
    assert_eq!(cart.body.matches("class=\"line\"").count(), 2);
    // The merged cart is no longer in the browser.
    let out = browser.submit(&cart, "/logout", &[]).await;
    assert_eq!(out.badge(), 0);
    app.shutdown().await;
}

#[actix_web::test]
async fn products_sold_out_before_the_login_are_named() {
    let (app, lamp) = shop(5).await;
    let browser = Browser::new(&app);
    browser.put(&lamp, "5").await;
    let buyer = app.user("ravi").await;
    app.order(&buyer, &lamp, 3).await;
    let home = browser.sign_up("asha").await;
    home.has("Less of this is in stock than you had chosen: Brass lamp.");
    assert_eq!(home.badge(), 2);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_guest_changes_and_removes_lines() {
    let (app, lamp) = shop(5).await;
    let browser = Browser::new(&app);
    browser.open("/cart").await.has("Your cart is empty");
    let cart = browser.put(&lamp, "2").await;
    let line = format!("/cart/items/{lamp}");
    let cart = browser.submit(&cart, &line, &[("quantity", "4"), ("set", "1")]).await;
    assert_eq!(cart.badge(), 4);
    cart.has("₹4,938.00");
    let cart = browser.submit(&cart, &line, &[("quantity", "6"), ("set", "1")]).await;
    cart.has("Only 5 of this product can be bought now.");
    assert_eq!(cart.badge(), 4);
    for quantity in ["0", "-1", "x", "1000", "", "99999999999999999999"] {
        let cart = browser.submit(&cart, &line, &[("quantity", quantity), ("set", "1")]).await;
        cart.has("Quantity must be a whole number from 1 to 999.");
    }
    let cart = browser.submit(&cart, &line, &[("quantity", "4"), ("remove", "1")]).await;
    cart.has("Your cart is empty");
    assert_eq!(browser.put(&lamp, "6").await.path, format!("/products/{lamp}"));
    app.get("/api/cart").send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_without_the_rendered_quantity_changes_nothing() {
    let (app, lamp) = shop(9).await;
    let browser = Browser::new(&app);
    browser.put(&lamp, "2").await;
    let line = format!("/cart/items/{lamp}");
    for signed_up in [false, true] {
        if signed_up {
            browser.sign_up("asha").await;
        }
        let token = browser.open("/cart").await.field(&line, "csrf");
        for seen in [&[][..], &[("quantitySeen", "")]] {
            let fields = [&[("csrf", token.as_str()), ("quantity", "4")], seen].concat();
            let cart = browser.post(&line, &fields).await;
            cart.has("Nothing was changed: there are 2 of this in your cart now. Enter the number again.");
            assert_eq!(cart.badge(), 2);
            let (status, body) = browser.script(&line, &fields, &[("accept", "application/json")]).await;
            assert_eq!((status, &body["code"]), (409, &serde_json::json!("cart.quantity_moved")));
        }
        assert_eq!(browser.post(&line, &[("csrf", &token), ("quantity", "2")]).await.badge(), 2);
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn a_script_adds_to_the_cart_and_gets_the_count() {
    let (app, lamp) = shop(5).await;
    let browser = Browser::new(&app);
    let page = browser.open(&format!("/products/{lamp}")).await;
    let token = page.field("/cart", "csrf");
    let json = [("accept", "application/json")];
    let client = |quantity: &'static str, token: String| {
        let (browser, lamp) = (&browser, lamp.clone());
        async move {
            let fields = [("csrf", token.as_str()), ("product", lamp.as_str()), ("quantity", quantity)];
            browser.script("/cart", &fields, &json).await
        }
    };
    assert_eq!(
        client("2", token.clone()).await,
        (200, serde_json::json!({"count": 2, "message": "Added to your cart"}))
    );
    let (status, body) = client("9", token.clone()).await;
    assert_eq!((status, &body["available"]), (409, &serde_json::json!(5)));
    let (status, body) = client("none", token).await;
    assert_eq!((status, &body["errors"][0]["path"]), (400, &serde_json::json!("quantity")));
    let (status, body) = client("1", "wrong".to_owned()).await;
    assert_eq!((status, &body["code"]), (403, &serde_json::json!("request.csrf")));
    app.shutdown().await;
}
