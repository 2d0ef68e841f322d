//! Errors are shown beside their fields; forms of other sites do nothing.

use test_support::{HEX, PASSWORD, altered_once};

use super::{ADDRESS, Browser, Shop, encode, shop};

#[actix_web::test]
async fn errors_are_shown_beside_fields_and_input_is_kept() {
    let (app, _) = shop(5).await;
    let browser = Browser::new(&app);
    let form = browser.open("/register").await;
    let fields = [("email", "no \"mail\""), ("password", "short"), ("username", "a b"), ("first_name", "Asha & Ravi")];
    let again = browser.submit(&form, "/register", &fields).await;
    assert_eq!(again.status, 400);
    for field in ["email", "password", "username"] {
        again.has(&format!("id=\"e-{field}\"")).has(&format!("aria-describedby=\"e-{field}\""));
    }
    again
        .has("value=\"no &#34;mail&#34;\"")
        .has("value=\"Asha &#38; Ravi\"")
        .lacks("short")
        .lacks("id=\"e-first_name\"");
    assert_eq!(again.body.matches("type=\"password\"").count(), 1);

    browser.sign_up("asha").await;
    let other = Browser::new(&app);
    let taken = other.sign_up("asha").await;
    assert_eq!(taken.status, 400);
    taken.has("is taken").has("value=\"asha@example.com\"");
    let form = other.open("/login").await;
    let wrong = other.submit(&form, "/login", &[("email", "asha@example.com"), ("password", "wrong horse")]).await;
    assert_eq!(wrong.status, 401);
    wrong.has("is not right").has("value=\"asha@example.com\"").lacks("wrong horse");
    let nobody = other.submit(&form, "/login", &[("email", "nobody@example.com"), ("password", "wrong horse")]).await;
    assert_eq!(nobody.status, 401);

    let account = browser.open("/account").await;
    let again = browser.submit(&account, "/account/addresses", &[("street", "12 Lake Road"), ("city", " ")]).await;
    assert_eq!(again.status, 422);
    again.has("value=\"12 Lake Road\"").has("id=\"e-city\"").lacks("id=\"e-street\"");
    let kept = browser.submit(&account, "/account/addresses", &ADDRESS).await;
    kept.has("12 Lake Road, Pune, MH 411001, IN").has("Default");
    let remove =
        kept.body.split("action=\"").find_map(|rest| rest.split('"').next().filter(|it| it.ends_with("/remove")));
    let gone = browser.submit(&kept, remove.unwrap(), &[]).await;
    gone.lacks("12 Lake Road, Pune").has("None yet");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_checkout_without_an_address_names_the_missing_fields() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser.put(&product, "1").await;
    let checkout = browser.open("/checkout").await;
    let again = browser.submit(&checkout, "/checkout", &ADDRESS[..3]).await;
    assert_eq!(again.status, 422);
    again.has("id=\"e-zip\"").has("value=\"Pune\"").lacks("id=\"e-city\"");
    let saved: Vec<(&str, &str)> = ADDRESS.into_iter().chain([("save", "1")]).collect();
    assert!(browser.submit(&again, "/checkout", &saved).await.path.ends_with("/pay"));
    browser.put(&product, "1").await;
    let checkout = browser.open("/checkout").await;
    checkout.has("12 Lake Road, Pune, MH 411001, IN");
    let unknown = [("address", "665f1f77bcf86cd799439013")];
    let again = browser.submit(&checkout, "/checkout", &unknown).await;
    assert_eq!(again.status, 422);
    again.has("not among yours");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_address_has_a_recipient_and_only_the_fields_of_its_country() {
    let (app, product) = shop(5).await;
    app.user("asha").await;
    let browser = Browser::new(&app);
    browser.log_in("asha").await;
    browser.put(&product, "1").await;
    let checkout = browser.open("/checkout").await;
    for auto in ["name", "tel", "address-line1", "address-level2", "address-level1", "postal-code", "country-name"] {
        checkout.has(&format!("autocomplete=\"{auto}\""));
    }
    checkout.has("value=\"Asha Rao\"").has("<option value=\"Côte d’Ivoire\">");
    let emirates = [("street", "1 Palm Road"), ("city", "Dubai"), ("state", "Dubai"), ("country", "UAE")];
    let nonsense: Vec<(&str, &str)> = [("country", "DE"), ("zip", "nonsense"), ("phone", "x")].to_vec();
    let refused = browser.submit(&checkout, "/checkout", &[&emirates[..3], &nonsense].concat()).await;
    assert_eq!(refused.status, 422);
    refused.has("id=\"e-zip\"").has("a postal code of Germany").has("id=\"e-phone\"").has("value=\"1 Palm Road\"");
    let named = [("full_name", "Ravi <b>Rao</b>"), ("phone", "+971 4 123 4567"), ("save", "1")];
    let paying = browser.submit(&refused, "/checkout", &[&emirates[..], &named].concat()).await;
    let order = browser.submit(&paying, &paying.path, &[("outcome", "success")]).await;
    order.has("Ravi &#60;b&#62;Rao&#60;/b&#62;, 1 Palm Road, Dubai, DU, AE, +971 4 123 4567");
    let seller = Browser::new(&app);
    seller.log_in("maker").await;
    let dashboard = seller.open("/seller/orders").await;
    dashboard.has("Ravi &#60;b&#62;Rao").has("Dubai, United Arab Emirates").has("Phone +971 4 123 4567");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_of_another_site_does_nothing() {
    let (app, product) = shop(5).await;
    let (browser, other) = (Browser::new(&app), Browser::new(&app));
    browser.sign_up("asha").await;
    let page = browser.open(&format!("/products/{product}")).await;
    let own = page.field("/cart", "csrf");
    let foreign = other.open(&format!("/products/{product}")).await.field("/cart", "csrf");
    for token in ["", "x", "a.b", &foreign, &own[..own.len() - 1], &format!("{own}0")] {
        let refused = browser.post("/cart", &[("csrf", token), ("product", &product), ("quantity", "1")]).await;
        assert_eq!(refused.status, 403, "{token}");
        refused.has("That is not open to you").has("This form is out of date");
    }
    for token in altered_once(&own, HEX) {
        let refused = browser.post("/cart", &[("csrf", &token), ("product", &product), ("quantity", "1")]).await;
        assert_eq!(refused.status, 403, "{token}");
    }
    let refused = browser.post("/cart", &[("product", &product), ("quantity", "1")]).await;
    assert_eq!(refused.status, 403);
    let fields = [("csrf", own.as_str()), ("product", product.as_str()), ("quantity", "1")];
    for header in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        assert_eq!(browser.post_with("/cart", &fields, &[header]).await.status, 403, "{header:?}");
    }
    assert_eq!(browser.open("/cart").await.badge(), 0);
    assert_eq!(browser.post("/cart", &fields).await.badge(), 1);
    // After a logout the session's forms are invalid.
    let account = browser.open("/account").await;
    browser.submit(&account, "/logout", &[]).await;
    assert_eq!(browser.post("/cart", &fields).await.status, 403);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_login_redirects_only_within_the_shop() {
    let (app, _) = shop(1).await;
    app.user("asha").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let browser = Browser::new(&app);
        let form = browser.open(&format!("/login?next={}", encode(next))).await;
        let fields = [("email", "asha"), ("password", "correct horse"), ("next", next)];
        assert_eq!(browser.submit(&form, "/login", &fields).await.path, "/", "{next}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn too_many_login_attempts_are_refused() {
    let app = Shop::open_with(|config| {
        config.rate_limit.enabled = true;
        config.rate_limit.auth_per_minute = std::num::NonZero::new(3).unwrap();
    })
    .await;
    let browser = Browser::new(&app);
    let form = browser.open("/login").await;
    let mut last = None;
    for _ in 0..5 {
        let fields = [("email", "asha@example.com"), ("password", "wrong horse")];
        last = Some(browser.submit(&form, "/login", &fields).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, 429);
    assert!(last.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    last.has("Too many tries");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_user_without_an_address_is_asked_for_one() {
    let app = Shop::embedded().await;
    let older = app.user("asha").await;
    Browser::new(&app).sign_up("mira").await;
    app.admin().await;
    // The state after the upgrade of an older shop.
    let config = app.config.clone();
    let settings = app.end().await;
    let file = rusqlite::Connection::open(settings.data().join("microbazaar.db")).unwrap();
    let sql = "UPDATE doc_users SET doc = CAST(json_set(CAST(doc AS TEXT), '$.emailTakenBy', ?1) AS BLOB)
               WHERE json_extract(CAST(doc AS TEXT), '$.username') = 'mira'";
    assert_eq!(file.execute(sql, [&older.id]), Ok(1));
    // The keys are generated again.
    assert_eq!(file.execute("DELETE FROM layouts WHERE collection = 'users'", []), Ok(1));
    drop(file);
    let app = Shop::over(config, settings).await;

    let admin = Browser::new(&app);
    admin.log_in("root").await;
    let listed = "<b>mira</b> (mira@example.com): the address stays with <b>asha</b> (asha@example.com)";
    admin.open("/admin/users").await.has(listed);

    let browser = Browser::new(&app);
    assert_eq!(browser.log_in("mira").await.status, 401, "not by the address");
    let form = browser.open("/login").await;
    let page = browser.submit(&form, "/login", &[("email", "MIRA"), ("password", PASSWORD)]).await;
    assert_eq!(page.path, "/account");
    page.has("Please give another one").has("Keep e-mail address");
    let wrong =
        browser.submit(&page, "/account/email", &[("email", "new@example.com"), ("password", "wrong horse")]).await;
    assert_eq!(wrong.status, 400);
    wrong.has("id=\"e-password\"").has("value=\"new@example.com\"");
    for email in ["asha@example.com", "mira\u{200B}@example.com"] {
        let refused = browser.submit(&page, "/account/email", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, 400);
        refused.has("id=\"e-email\"");
    }
    // What was typed is restored after the session had ended.
    browser.submit(&page, "/logout", &[]).await;
    let login = browser.submit(&page, "/account/email", &[("email", "later@example.com")]).await;
    let page = browser.submit(&login, "/login", &[("email", "mira"), ("password", PASSWORD)]).await;
    page.has("value=\"later@example.com\"");
    let kept = browser.submit(&page, "/account/email", &[("email", "New@example.com"), ("password", PASSWORD)]).await;
    kept.has("You can log in with it").has("New@example.com").lacks("Keep e-mail address");
    let again = Browser::new(&app).log_in("new").await;
    assert_eq!(again.path, "/");
    admin.open("/admin/users").await.lacks("the address stays with");
    app.shutdown().await;
}

#[actix_web::test]
async fn invisible_text_and_urls_are_refused_beside_the_field() {
    let app = Shop::open().await;
    let browser = Browser::new(&app);
    let form = browser.open("/register").await;
    let fields = [
        ("email", "asha\u{3164}@example.com"),
        ("password", PASSWORD),
        ("username", "ash\u{200D}a"),
        ("first_name", "Asha"),
    ];
    let again = browser.submit(&form, "/register", &fields).await;
    assert_eq!(again.status, 400);
    again.has("id=\"e-email\"").has("id=\"e-username\"").lacks("id=\"e-first_name\"");
    for first in ["You won! http://evil.example/x", "\u{2800}"] {
        let fields = [("email", " asha@example.com "), ("password", PASSWORD), ("first_name", first)];
        let again = browser.submit(&form, "/register", &fields).await;
        assert_eq!(again.status, 400);
        again.has("id=\"e-first_name\"").lacks("id=\"e-email\"");
    }
    let fields = [("email", " asha@example.com "), ("password", PASSWORD), ("first_name", "\u{200B}Asha ")];
    browser.submit(&form, "/register", &fields).await;
    browser.open("/account").await.has("<dd>Asha</dd>").has("<dd>asha@example.com</dd>");
    app.shutdown().await;
}
