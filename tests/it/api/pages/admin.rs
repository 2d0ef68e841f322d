//! The admin pages.

use microbazaar::{
    domain::{
        Timestamp,
        event::{Envelope, Event, UserSnapshot},
        ids::{EventId, UserId},
        queues::USER_CREATED_NOTIFICATION,
        user::{FullName, Role},
    },
    store::outbox::Parked,
};

use super::{Browser, Shop};
use crate::api::blocking::until_found;

async fn signed_in(app: &Shop) -> Browser {
    app.admin().await;
    let browser = Browser::new(app);
    browser.log_in("root").await;
    browser
}

#[actix_web::test]
async fn an_admin_blocks_and_unblocks_a_user() {
    let app = Shop::open().await;
    let admin = signed_in(&app).await;
    let asha = Browser::new(&app);
    asha.sign_up("asha").await;
    asha.open("/account").await;
    let token = app.login(&serde_json::json!({"email": "asha@example.com", "password": test_support::PASSWORD})).await;
    let token = token.expect(200)["token"].as_str().unwrap().to_owned();
    let users = admin.open("/admin/users").await;
    users.has("asha@example.com").has("root@example.com").has(">Active</span>");
    let found = admin.open("/admin/users?q=asha%40example.com").await;
    found.lacks("root@example.com");
    let block = found.body.split("action=\"").find(|part| part.contains("/block\"")).unwrap();
    let block = block.split('"').next().unwrap().to_owned();
    assert_eq!(found.body.matches("/block\"").count(), 1);
    let csrf = asha.open("/account").await.field("/logout", "csrf");
    assert_eq!(asha.post(&block, &[("csrf", &csrf)]).await.status, 403, "only admins block");
    let ask = admin.open(&block.replace("/block", "/confirm-block")).await;
    ask.has("<b>asha</b>").has("asha@example.com").has("logged out everywhere").has("Keep them");
    assert_eq!(asha.open("/account").await.path, "/account", "nothing has happened yet");
    assert!(!found.body.contains(">Block</button>"), "no click blocks without being asked");
    let blocked = admin.submit(&ask, &block, &[]).await;
    blocked.has("is blocked and logged out everywhere").has(">Blocked</span>");

    assert!(asha.open("/account").await.path.starts_with("/login"), "the session has ended");
    app.get("/api/auth/me").token(&token).send().await.refused(401, "auth.invalid_token");
    let body = serde_json::json!({"email": "asha@example.com", "password": test_support::PASSWORD});
    app.login(&body).await.refused(403, "auth.blocked");
    let wrong = serde_json::json!({"email": "asha@example.com", "password": "not hers at all"});
    app.login(&wrong).await.refused(401, "auth.bad_credentials");
    asha.log_in("asha").await.has("This account is blocked");

    // Also after a restart.
    let app = app.restart().await;
    app.get("/api/auth/me").token(&token).send().await.refused(401, "auth.invalid_token");
    app.login(&body).await.refused(403, "auth.blocked");
    let admin = admin.at_address(&app);
    let users = admin.open("/admin/users").await;
    admin.submit(&users, &block.replace("/block", "/unblock"), &[]).await.has("may come in again");
    app.login(&body).await.expect(200);
    app.get("/api/auth/me").token(&token).send().await.expect(200);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_sees_orders_and_refunds_once() {
    let app = Shop::open().await;
    let admin = signed_in(&app).await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp <i>", 100.0, 9).await;
    let order = app.order(&asha, &lamp, 1).await;
    admin.open("/admin/orders").await.has("1 × Lamp &#60;i&#62;").has("data-status=\"PENDING\"").has("AwaitPayment");
    admin.open("/admin/orders?status=CONFIRMED").await.has("No such orders");
    app.pay(&asha, &order).await;
    admin.open("/admin/orders?status=CONFIRMED").await.has("₹160.00").has(">Confirmed</span>");
    let payments = admin.open("/admin/payments").await;
    payments.has("asha@example.com").has("₹160.00").has("No refunds.");
    let refund = payments.body.split("action=\"").find(|part| part.contains("/refund\"")).unwrap();
    let refund = refund.split('"').next().unwrap().to_owned();
    let refunds = async || app.payment_of(&asha, &order).await["refunds"].as_array().unwrap().len();
    let fields = [("what", "part"), ("amount", "60.50"), ("reason", "<b>scratched</b>")];
    // The form alone refunds nothing: the next page shows a preview.
    let asked = admin.submit(&payments, &refund, &fields).await;
    asked.has("Refund ₹60.50?").has("asha@example.com").has("₹160.00").has("₹99.50 stays with the shop");
    assert_eq!(refunds().await, 0);
    let given = admin.submit(&asked, &refund, &[]).await;
    given.has("₹60.50 goes back to asha@example.com.").has("&#60;b&#62;scratched").has("99.50");
    // A double click refunds nothing more, and gets the same answer.
    admin.submit(&asked, &refund, &[]).await.has("₹60.50 goes back to asha@example.com.");
    assert_eq!(refunds().await, 1);
    let again = admin.open("/admin/payments").await;
    // A refused form comes back as it was sent.
    for (what, amount, why) in [
        ("part", "1000", "only ₹99.50 is left to refund"),
        ("part", "x", "enter an amount above zero"),
        ("part", "0", "enter an amount above zero"),
        ("all", "5", "choose either everything that is left or"),
    ] {
        let fields = [("what", what), ("amount", amount), ("reason", "<b>late</b>")];
        let refused = admin.submit(&again, &refund, &fields).await;
        assert_eq!((refused.status, refused.path.as_str()), (400, refund.as_str()), "{amount}");
        refused.has(&format!("Nothing was refunded: {why}")).has("<details open>").has("aria-invalid=\"true\"");
        refused.has(&format!("name=\"amount\" value=\"{amount}\"")).has("value=\"&#60;b&#62;late&#60;/b&#62;\"");
        refused.has(&format!("value=\"{what}\" checked"));
        admin.submit(&refused, &refund, &[("what", "part"), ("amount", "9")]).await.has("Refund ₹9.00?");
    }
    // No choice and no amount does not mean everything, not even on the confirmation.
    for fields in [&[][..], &[("what", "part"), ("amount", "")], &[("amount", " "), ("confirmed", "yes")]] {
        admin.submit(&again, &refund, fields).await.has("Nothing was refunded: choose everything that is left, or");
    }
    assert_eq!(refunds().await, 1);
    let all = admin.submit(&again, &refund, &[("what", "all")]).await;
    all.has("Refund ₹99.50?").has("This is everything that is left");
    // Meanwhile another admin refunded a part.
    let other = admin.submit(&again, &refund, &[("what", "part"), ("amount", "9.50")]).await;
    admin.submit(&other, &refund, &[]).await.has("₹9.50 goes back");
    let moved = admin.submit(&all, &refund, &[]).await;
    moved.has("Nothing was refunded: ₹90.00 is left now, not what you saw").has("name=\"amount\" value=\"99.50\"");
    assert_eq!(moved.status, 409);
    assert_eq!(refunds().await, 2);
    let all = admin.submit(&again, &refund, &[("what", "all")]).await;
    admin.submit(&all, &refund, &[]).await.has("₹90.00 goes back").has("data-status=\"REFUNDED\"");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_cancels_an_order_on_its_page() {
    let app = Shop::open().await;
    let admin = signed_in(&app).await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 100.0, 9).await;
    let order = app.order(&asha, &lamp, 2).await;
    app.pay(&asha, &order).await;
    let path = format!("/orders/{}", order["_id"].as_str().unwrap());
    admin.open("/admin/orders").await.has(&format!("href=\"{path}\""));
    let shown = admin.open(&path).await;
    shown.has("Cancel this order");
    let cancel = format!("{path}/cancel");
    let asked = admin.submit(&shown, &cancel, &[("reason", "fraud")]).await;
    asked.has("goes back to the buyer").has("fraud");
    assert_eq!(app.stock(&lamp).await, (7, 0, 7), "one click alone does nothing");
    let done = admin.submit(&asked, &cancel, &[]).await;
    done.has("The order is cancelled").has("fraud");
    assert_eq!(done.order_status(), "CANCELLED");
    assert_eq!(app.stock(&lamp).await, (9, 0, 9));
    admin.submit(&asked, &cancel, &[]).await.has("This did not work");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_sees_the_state_and_replays_dead_letters() {
    let app = Shop::embedded().await;
    let admin = signed_in(&app).await;
    let overview = admin.open("/admin").await;
    overview.has(">Ready</span>").has("<td data-label=\"Part\">store</td>").has("order_sweeper").has("catalogue");
    admin.open("/admin/dead").await.has("Every message that arrived was handled");
    let user = UserSnapshot {
        id: UserId::generate(),
        email: "late@example.com".to_owned(),
        username: "late".to_owned(),
        full_name: FullName::default(),
        role: Role::User,
        created_at: Timestamp::now(),
    };
    let event = Event::UserCreated(user);
    let envelope = Envelope { id: EventId::generate(), occurred_at: Timestamp::now(), event, trace: None };
    let (queue, reason) = (USER_CREATED_NOTIFICATION.to_owned(), "the <mail> server said no".to_owned());
    let row = Parked { id: 0, queue, envelope, attempts: 5, retry_at: None, reason };
    app.stores().outbox.settle(&[], &[row]).await.unwrap();
    let dead = admin.open("/admin/dead").await;
    dead.has("USER_CREATED").has("the &#60;mail&#62; server said no").has("Try again");
    admin.submit(&dead, "/admin/dead/replay", &[]).await.has("The message is being retried.");
    let sent = async || Browser::new(&app).get("/dev/mailbox").await.body.contains("late@example.com");
    test_support::eventually("the mail is sent", sent).await;
    admin.open("/admin/dead").await.has("Every message that arrived was handled");
    admin.submit(&dead, "/admin/dead/replay", &[]).await.has("This message no longer exists.");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_admin_finds_products_takes_one_down_and_approves_it_again() {
    let app = Shop::open().await;
    let admin = signed_in(&app).await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Brass <i>lamp", 100.0, 9).await;
    let cup = app.product(&mira, "Clay cup", 5.0, 9).await;
    until_found(&app, "", &[&cup, &lamp]).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    for q in ["", lamp.as_str(), "mira%40example.com", mira.id.as_str()] {
        let found = admin.open(&format!("/admin/products?q={q}")).await;
        found.has("Brass &#60;i&#62;lamp").has(">For sale</span>");
    }
    admin.open("/admin/products?q=nothing-like-it").await.has("No such products");
    let down = format!("/admin/products/{lamp}/take-down");
    let ask = admin.open(&down).await;
    ask.has("<b>Brass &#60;i&#62;lamp</b>").has("Take it down");
    let taken = admin.submit(&ask, &down, &[("reason", "a <copy>")]).await;
    taken.has("is taken down").has(">Taken down</span>").has("a &#60;copy&#62;");
    let shopper = Browser::new(&app);
    assert_eq!(shopper.get(&format!("/products/{lamp}")).await.status, 404);
    // Admins can still find it by its words.
    until_found(&app, "", &[&cup]).await;
    admin.open("/admin/products?q=brass").await.has("Taken down");

    shopper.log_in("asha").await;
    let cart = shopper.open("/cart").await;
    cart.has("This is not for sale any more").has("Remove what is not for sale");
    assert_eq!(shopper.open("/checkout").await.path, "/cart", "checkout leads back to what is to be removed");
    shopper.submit(&cart, "/cart/tidy", &[]).await.has("Your cart is empty");

    let maker = Browser::new(&app);
    maker.log_in("mira").await;
    maker.open("/seller/products").await.has("Taken down by the shop: a &#60;copy&#62;");
    let found = admin.open(&format!("/admin/products?q={lamp}")).await;
    admin.submit(&found, &format!("/admin/products/{lamp}/approve"), &[]).await.has("is offered again");
    shopper.open(&format!("/products/{lamp}")).await.has("Add to cart");
    for path in ["/admin/products", down.as_str()] {
        assert_ne!(shopper.get(path).await.status, 200, "{path} is for staff");
    }
    app.shutdown().await;
}
