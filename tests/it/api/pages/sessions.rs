//! Sessions that end before their page, and browsers without cookies: what was typed is kept, and problems are
//! reported.

use super::{ADDRESS, Browser, Doc, check_out, shop};

const HERE: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

#[actix_web::test]
async fn typed_fields_are_restored_after_the_login() {
    let (app, product) = shop(5).await;
    for name in ["asha", "ravi"] {
        app.user(name).await;
    }
    let browser = Browser::new(&app);
    browser.log_in("asha").await;
    browser.put(&product, "1").await;
    let checkout = browser.open("/checkout").await;
    let account = browser.open("/account").await;
    browser.submit(&account, "/logout", &[]).await;

    let street = [("street", "7 <b>Müller</b> Road"), ("phone", "+91 98765 43210")];
    let fields = [&ADDRESS[1..], &street].concat();
    let login = browser.submit(&checkout, "/checkout", &fields).await;
    assert_eq!((login.status, login.path.as_str()), (200, "/login?next=/checkout"));
    login.has("what you typed is kept.").has("Password");
    let who = [("email", "asha@example.com"), ("password", test_support::PASSWORD)];
    let back = browser.submit(&login, "/login", &who).await;
    assert_eq!(back.path, "/checkout");
    back.has("What you typed is still here")
        .has("value=\"7 &#60;b&#62;Müller&#60;/b&#62; Road\"")
        .has("+91 98765 43210");
    browser.open("/checkout").await.lacks("Müller");
    assert!(browser.submit(&back, "/checkout", &fields).await.path.ends_with("/pay"));

    // Another user who logs in does not see it.
    let account = browser.open("/account").await;
    browser.submit(&account, "/logout", &[]).await;
    let login = browser.submit(&account, "/account/addresses", &fields).await;
    assert_eq!(login.path, "/login?next=/account");
    let who = [("email", "ravi@example.com"), ("password", test_support::PASSWORD)];
    let other = browser.submit(&login, "/login", &who).await;
    assert_eq!(other.path, "/account");
    other.lacks("Müller").lacks("still here");
    // A form with only a button is not reported as kept.
    let account = browser.open("/account").await;
    browser.submit(&account, "/logout", &[]).await;
    let token = account.field("/account/addresses", "csrf");
    let login = browser.post("/account/addresses/665f1f77bcf86cd799439011/remove", &[("csrf", &token)]).await;
    login.has("Log in to go on.").lacks("is kept");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_long_description_is_restored_after_the_login() {
    let (app, _) = shop(1).await;
    let browser = Browser::new(&app);
    browser.log_in("maker").await;
    let form = browser.open("/seller/products/new").await;
    browser.submit(&form, "/logout", &[]).await;
    let long = "Made by hand from brass and oak. ".repeat(200);
    let fields = [("title", "Oak lamp"), ("description", long.trim()), ("price", "10"), ("stock", "3")];
    let login = browser.upload(&form, "/seller/products/new", &fields, &[]).await;
    assert_eq!(login.path, "/login?next=/seller/products/new");
    let who = [("email", "maker@example.com"), ("password", test_support::PASSWORD)];
    let back = browser.submit(&login, "/login", &who).await;
    back.has("value=\"Oak lamp\"").has(long.trim());
    app.shutdown().await;
}

/// Logs out on `page`, sends its form nevertheless, and logs in again.
async fn sent_too_late(browser: &Browser, who: &str, page: &Doc, action: &str, fields: &[(&str, &str)]) -> [Doc; 2] {
    browser.submit(page, "/logout", &[]).await;
    let login = browser.submit(page, action, fields).await;
    let email = format!("{who}@example.com");
    let back = browser.submit(&login, "/login", &[("email", &email), ("password", test_support::PASSWORD)]).await;
    [login, back]
}

#[actix_web::test]
async fn fields_too_long_to_be_kept_are_named_and_not_cleared() {
    let (app, product) = shop(1).await;
    let browser = Browser::new(&app);
    browser.log_in("maker").await;
    let path = format!("/seller/products/{product}");
    let form = browser.open(&path).await;
    browser.submit(&form, &path, &[("description", "As it was")]).await.has("is saved");
    let form = browser.open(&path).await;
    let noise: String = (0..40_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
    let fields = [("title", "Oak lamp"), ("description", &noise)];
    let [login, back] = sent_too_late(&browser, "maker", &form, &path, &fields).await;
    login.has("what you typed is kept. Too long to be kept: description. Go back and copy it");
    back.has("still here")
        .has("Too long to be kept: description.")
        .has("value=\"Oak lamp\"")
        .has(">As it was</textarea>");
    browser.submit(&back, &path, &[("title", "Oak lamp"), ("description", "As it was")]).await.has("is saved");
    browser.open(&path).await.has(">As it was</textarea>");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_untouched_form_is_not_reported_as_kept() {
    let (app, product) = shop(5).await;
    app.user("asha").await;
    let browser = Browser::new(&app);
    browser.log_in("asha").await;
    browser.put(&product, "1").await;
    let paying = check_out(&browser).await;
    let path = paying.path.clone();
    for doc in sent_too_late(&browser, "asha", &paying, &path, &[("outcome", "success")]).await {
        doc.lacks("kept").lacks("still here");
    }
    let browser = Browser::new(&app);
    browser.log_in("maker").await;
    let path = "/seller/products/import";
    let form = browser.open(path).await;
    browser.submit(&form, "/logout", &[]).await;
    let login = browser.upload(&form, path, &[], &[("file", "a.csv", b"title,price\nLamp,1\n".to_vec())]).await;
    login.has("Log in to go on. Files are to be chosen again.").lacks("kept");
    let who = [("email", "maker@example.com"), ("password", test_support::PASSWORD)];
    browser.submit(&login, "/login", &who).await.lacks("still here");
    // Nothing was typed into an untouched page.
    let path = format!("/seller/products/{product}");
    let form = browser.open(&path).await;
    for doc in sent_too_late(&browser, "maker", &form, &path, &[("title", "Brass lamp"), ("stock", "4")]).await {
        doc.lacks("is kept").lacks("still here");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn a_tracking_number_is_restored_after_the_login() {
    let (app, product) = shop(5).await;
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 1).await;
    app.pay(&asha, &order).await;
    app.settle().await;
    let browser = Browser::new(&app);
    browser.log_in("maker").await;
    let ship = format!("/seller/orders/{}/ship", order["_id"].as_str().unwrap());
    let page = browser.open("/seller/orders").await;
    let [login, back] = sent_too_late(&browser, "maker", &page, &ship, &[("tracking", "IN 42 <b>")]).await;
    login.has("what you typed is kept.");
    assert_eq!(back.path, "/seller/orders");
    back.has("still here").has("name=\"tracking\" value=\"IN 42 &#60;b&#62;\"");
    browser.open("/seller/orders").await.lacks("IN 42");
    // The browser says that it was sent from the overview.
    let dashboard = browser.open("/seller").await;
    browser.submit(&dashboard, "/logout", &[]).await;
    let token = dashboard.field(&ship, "csrf");
    let fields = [("csrf", token.as_str()), ("back", "dashboard"), ("tracking", "IN 43")];
    let login = browser.post_with(&ship, &fields, &[("referer", &format!("{}/seller", app.base()))]).await;
    let who = [("email", "maker@example.com"), ("password", test_support::PASSWORD)];
    let back = browser.submit(&login, "/login", &who).await;
    assert_eq!(back.path, "/seller");
    back.has("name=\"tracking\" value=\"IN 43\"");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admins_fields_are_restored_after_the_login() {
    let (app, product) = shop(5).await;
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 1).await;
    app.pay(&asha, &order).await;
    app.admin().await;
    let browser = Browser::new(&app);
    browser.log_in("root").await;
    let payments = browser.open("/admin/payments").await;
    let refund = payments.body.split("action=\"").find(|part| part.contains("/refund\"")).unwrap();
    let refund = refund.split('"').next().unwrap().to_owned();
    let fields = [("what", "part"), ("amount", "60.50"), ("reason", "scratched")];
    let [_, back] = sent_too_late(&browser, "root", &payments, &refund, &fields).await;
    assert_eq!(back.path, "/admin/payments");
    back.has("<details open>").has("name=\"amount\" value=\"60.50\"").has("name=\"reason\" value=\"scratched\"");
    let down = format!("/admin/products/{product}/take-down");
    let form = browser.open(&down).await;
    let [_, back] = sent_too_late(&browser, "root", &form, &down, &[("reason", "copied")]).await;
    assert_eq!(back.path, down);
    back.has("name=\"reason\" maxlength=\"1000\" value=\"copied\"");
    app.shutdown().await;
}

#[actix_web::test]
async fn fields_typed_in_two_tabs_are_restored_in_both() {
    let (app, product) = shop(1).await;
    let browser = Browser::new(&app);
    browser.log_in("maker").await;
    let (new, old) = ("/seller/products/new", format!("/seller/products/{product}"));
    let (first, second) = (browser.open(new).await, browser.open(&old).await);
    browser.submit(&first, "/logout", &[]).await;
    browser.submit(&first, new, &[("title", "Oak lamp"), ("price", "10")]).await.has("what you typed is kept.");
    let login = browser.submit(&second, &old, &[("title", "Elm chair")]).await;
    login.has("what you typed is kept.");
    let who = [("email", "maker@example.com"), ("password", test_support::PASSWORD)];
    let back = browser.submit(&login, "/login", &who).await;
    back.has(&format!("still here, in a new product ({new}), a product ({old}).")).has("value=\"Elm chair\"");
    browser.open(new).await.has("value=\"Oak lamp\"");
    browser.open(new).await.lacks("Oak lamp");
    browser.open(&old).await.lacks("Elm chair");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_that_was_shown_again_leads_back_to_its_page() {
    let (app, _) = shop(1).await;
    app.user("asha").await;
    let browser = Browser::new(&app);
    browser.log_in("asha").await;
    let account = browser.open("/account").await;
    let again = browser.submit(&account, "/account/addresses", &[("street", "12 Lake Road")]).await;
    assert_eq!((again.status, again.path.as_str()), (422, "/account/addresses"));
    browser.submit(&account, "/logout", &[]).await;
    let token = again.field("/account/addresses", "csrf");
    let referer = format!("{}/account/addresses", app.base());
    let fields = [("csrf", token.as_str()), ("street", "12 Lake Road")];
    let login = browser.post_with("/account/addresses", &fields, &[("referer", &referer)]).await;
    assert_eq!(login.path, "/login?next=/account");
    let who = [("email", "asha@example.com"), ("password", test_support::PASSWORD)];
    browser.submit(&login, "/login", &who).await.has("value=\"12 Lake Road\"");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_of_an_earlier_session_works_only_for_its_account() {
    let (app, product) = shop(9).await;
    for name in ["asha", "ravi"] {
        app.user(name).await;
    }
    let browser = Browser::new(&app);
    browser.log_in("asha").await;
    let page = browser.open(&format!("/products/{product}")).await;
    let account = browser.open("/account").await;
    let (cart, keep) = (page.field("/cart", "csrf"), account.field("/account/addresses", "csrf"));
    browser.submit(&account, "/logout", &[]).await;

    // Adding to a cart is harmless.
    let fields = [("csrf", cart.as_str()), ("product", product.as_str()), ("quantity", "2")];
    let added = browser.post_with("/cart", &fields, &HERE).await;
    assert_eq!((added.path.as_str(), added.badge()), ("/cart", 2));
    added.has("Added to your cart");

    let address: Vec<(&str, &str)> = ADDRESS.into_iter().chain([("csrf", keep.as_str())]).collect();
    browser.log_in("ravi").await;
    let refused = browser.post_with("/account/addresses", &address, &HERE).await;
    assert_eq!((refused.status, refused.path.as_str()), (200, "/account"));
    refused.has("opened for another account").has("None yet");
    browser.submit(&refused, "/logout", &[]).await;
    browser.log_in("asha").await;
    browser.post_with("/account/addresses", &address, &HERE).await.has("12 Lake Road");
    // Without the browser's headers, or with those of another site, nothing happens.
    for headers in [&[][..], &[("sec-fetch-site", "same-site")], &[("origin", "https://evil.example")]] {
        assert_eq!(browser.post_with("/account/addresses", &address, headers).await.status, 403, "{headers:?}");
    }
    // A forged token is invalid, whatever the browser says.
    for at in 0..keep.len() {
        let mut changed: Vec<char> = keep.chars().collect();
        changed[at] = if changed[at] == '0' { '1' } else { '0' };
        let changed: String = changed.into_iter().collect();
        let fields = [("csrf", changed.as_str()), ("product", product.as_str()), ("quantity", "1")];
        assert_eq!(browser.post_with("/cart", &fields, &HERE).await.status, 403, "{at}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn a_browser_without_cookies_gets_a_message() {
    let (app, product) = shop(5).await;
    app.user("asha").await;
    let browser = Browser::without_cookies(&app);
    let page = browser.open(&format!("/products/{product}")).await;
    let token = page.field("/cart", "csrf");
    let fields = [("csrf", token.as_str()), ("product", product.as_str()), ("quantity", "1")];
    let cart = browser.post_with("/cart", &fields, &HERE).await;
    assert_eq!(cart.path, "/cart?cookies=check");
    cart.has("Your browser does not keep cookies for this shop");
    let (status, body) =
        browser.script("/cart", &fields, &[("accept", "application/json"), ("sec-fetch-site", "same-origin")]).await;
    assert_eq!((status, &body["code"]), (409, &serde_json::json!("page.no_cookies")));
    let form = browser.open("/login").await;
    let token = form.field("/login", "csrf");
    let who = [
        ("csrf", token.as_str()),
        ("email", "asha@example.com"),
        ("password", test_support::PASSWORD),
        ("next", "/cart"),
    ];
    let login = browser.post_with("/login", &who, &HERE).await;
    assert_eq!(login.path, "/login?cookies=check&next=/cart");
    login.has("does not keep cookies");

    // A browser that has only lost its cookies gets no message.
    let browser = Browser::new(&app);
    let added = browser.post_with("/cart", &fields, &HERE).await;
    assert_eq!((added.path.as_str(), added.badge()), ("/cart?cookies=check", 1));
    added.has("Added to your cart").lacks("does not keep cookies");
    let browser = Browser::new(&app);
    assert_eq!(browser.post_with("/login", &who, &HERE).await.path, "/cart");
    app.shutdown().await;
}
