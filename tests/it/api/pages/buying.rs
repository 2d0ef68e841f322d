//! From the home page to a paid order, with errors on the way.

use super::{ADDRESS, Browser, Shop, check_out, shop};

/// How many orders the page lists.
async fn orders(browser: &Browser) -> usize {
    browser.open("/orders").await.body.matches("data-label=\"Placed\"").count()
}

#[actix_web::test]
async fn a_buyer_needs_no_javascript() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    let home = browser.get("/").await;
    home.has("role=\"search\"").has("Log in").has("Sign up").has("Chat with AI Buddy");
    let page = browser.open(&format!("/products/{product}")).await;
    page.has("₹1,234.50").has("Quantity").has("Add to cart").has("application/ld+json");
    let cart = browser.put(&product, "2").await;
    cart.has("Brass lamp").has("₹2,469.00").has("Checkout");
    assert_eq!((cart.path.as_str(), cart.badge()), ("/cart", 2));
    let login = browser.open("/checkout").await;
    assert_eq!(login.path, "/login?next=/checkout");
    let form = browser.open("/register?next=/checkout").await;
    let fields = [("email", "asha@example.com"), ("password", "correct horse"), ("first_name", "Asha")];
    let checkout = browser.submit(&form, "/register", &fields).await;
    checkout.has("Place order").has("₹246.90").has("₹50.00").has("₹2,765.90");
    assert_eq!((checkout.path.as_str(), checkout.badge()), ("/checkout", 2));
    let paying = browser.submit(&checkout, "/checkout", &ADDRESS).await;
    paying.has("Pay</button>").has("Fail</button>").has("₹2,765.90");
    let action = paying.path.clone();
    assert!(action.starts_with("/orders/") && action.ends_with("/pay"), "{action}");
    assert_eq!(app.stock(&product).await, (5, 2, 3));

    let failed = browser.submit(&paying, &action, &[("outcome", "failure")]).await;
    assert_eq!(failed.order_status(), "PENDING");
    failed.has(">Pending</span>").has("The payment failed").has(">Pay</a>");
    let again = browser.open(&action).await;
    again.has("The last payment failed");
    let order = browser.submit(&again, &action, &[("outcome", "success")]).await;
    assert_eq!((order.order_status().as_str(), order.badge()), ("CONFIRMED", 0));
    order
        .has("<span class=\"badge\" data-status=\"CONFIRMED\">Confirmed</span>")
        .has("12 Lake Road, Pune, MH 411001, IN");
    order.lacks(">Pay</a>").has("Paid").has("Cancel order");
    assert_eq!(app.stock(&product).await, (3, 0, 3));

    // A paid order is not paid again, even from an old page.
    let back = browser.submit(&again, &action, &[("outcome", "success")]).await;
    assert_eq!(back.order_status(), "CONFIRMED");
    assert_eq!(browser.open(&action).await.order_status(), "CONFIRMED");
    let list = browser.open("/orders").await;
    list.has("Brass lamp").has(">Confirmed</span>").has("₹2,765.90");

    let cancel = format!("{}/cancel", action.trim_end_matches("/pay"));
    let cancelled = browser.submit(&order, &cancel, &[("reason", "<b>Changed</b> my mind")]).await;
    assert_eq!(cancelled.order_status(), "CANCELLED");
    cancelled.has("&#60;b&#62;Changed&#60;/b&#62; my mind").lacks("<b>Changed");
    assert_eq!(app.stock(&product).await, (5, 0, 5));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cart_sent_repeatedly_makes_one_order() {
    let (app, product) = shop(9).await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser.put(&product, "1").await;
    let (one_tab, other_tab) = (browser.open("/checkout").await, browser.open("/checkout").await);
    let sent = (0..4).map(|at| browser.submit(if at < 2 { &one_tab } else { &other_tab }, "/checkout", &ADDRESS));
    let paths: Vec<String> = futures_util::future::join_all(sent).await.into_iter().map(|doc| doc.path).collect();
    assert!(paths[0].ends_with("/pay") && paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    // After the back button, and with a new item in the cart.
    browser.put(&product, "2").await;
    let late = browser.submit(&one_tab, "/checkout", &ADDRESS).await;
    assert_eq!((late.path.as_str(), late.badge(), orders(&browser).await), (paths[0].as_str(), 2, 1));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_cart_that_changed_since_is_shown_again_before_it_is_ordered() {
    let (app, product) = shop(9).await;
    let seller = app.login(&serde_json::json!({"username": "maker", "password": "correct horse"})).await.expect(200);
    let seller = seller["token"].as_str().unwrap();
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser.put(&product, "1").await;
    let old = browser.open("/checkout").await;
    browser.put(&product, "1").await;
    let shown = browser.submit(&old, "/checkout", &ADDRESS).await;
    assert_eq!(shown.status, 409);
    shown.has("has changed since").has("value=\"12 Lake Road\"").has("₹2,469.00");
    let dearer = serde_json::json!({"price": {"amount": 2000}});
    app.patch(&format!("/api/products/{product}")).token(seller).json(&dearer).send().await.expect(200);
    let shown = browser.submit(&shown, "/checkout", &ADDRESS).await;
    assert_eq!(shown.status, 409);
    shown.has("₹4,000.00");
    let paying = browser.submit(&shown, "/checkout", &ADDRESS).await;
    paying.has("₹4,450.00");
    assert_eq!(orders(&browser).await, 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn missing_stock_is_reported_and_no_order_is_made() {
    let (app, product) = shop(2).await;
    let (asha, ravi) = (Browser::new(&app), Browser::new(&app));
    for (browser, name) in [(&asha, "asha"), (&ravi, "ravi")] {
        browser.sign_up(name).await;
        browser.put(&product, "2").await;
    }
    check_out(&asha).await.has("Pay</button>");
    let refused = check_out(&ravi).await;
    assert_eq!(refused.path, "/cart");
    refused.has("sold in the meantime").has("There are only 0 left");
    assert_eq!(orders(&ravi).await, 0);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_user_cannot_see_or_pay_the_orders_of_others() {
    let (app, product) = shop(5).await;
    let (asha, ravi) = (Browser::new(&app), Browser::new(&app));
    asha.sign_up("asha").await;
    asha.put(&product, "1").await;
    let paying = check_out(&asha).await;
    ravi.sign_up("ravi").await;
    let order = paying.path.trim_end_matches("/pay").to_owned();
    let token = ravi.open("/account").await.field("/account/addresses", "csrf");
    assert_eq!(ravi.get(&order).await.status, 403);
    assert_eq!(ravi.get(&paying.path).await.status, 403);
    for (path, field) in [(paying.path.clone(), ("outcome", "success")), (format!("{order}/cancel"), ("reason", ""))] {
        assert_eq!(ravi.post(&path, &[("csrf", &token), field]).await.status, 403, "{path}");
    }
    assert_eq!(asha.open(&order).await.order_status(), "PENDING");
    let guest = Browser::new(&app);
    assert!(guest.get(&order).await.path.starts_with("/login?next=/orders/"));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_session_and_its_form_outlive_a_restart() {
    let (app, product) = shop(5).await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser.put(&product, "1").await;
    let checkout = browser.open("/checkout").await;
    let app: Shop = app.restart().await;
    let browser = browser.at_address(&app);
    let paying = browser.submit(&checkout, "/checkout", &ADDRESS).await;
    assert!(paying.path.ends_with("/pay"), "{}", paying.path);
    app.shutdown().await;
}
