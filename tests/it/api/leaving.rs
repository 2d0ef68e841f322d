//! Users who export what is kept about them, and who delete their accounts.

use std::sync::Arc;

use microbazaar::{
    domain::{
        Timestamp,
        conversation::{Conversation, Line, Speaker},
        event::{Envelope, Event, UserSnapshot},
        ids::{ConversationId, UserId},
        user::{FullName, Role},
    },
    store::{outbox::Parked, wishlists::WishlistStore},
};
use reqwest::Method;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};
use test_support::{Answer, Settings, eventually};

use super::{PASSWORD, Person, Shop, id, pages::browser::Browser, text};

/// What nothing else in the shop is called.
const MARKS: [&str; 5] = ["zarathu", "quixote", "nirvana lane", "98765 43299", "shelf-key"];

/// A user whose name, addresses and messages have [`MARKS`].
async fn zarathu(app: &Shop, role: &str) -> Person {
    let email = format!("zarathu-{role}@example.com");
    let name = json!({"firstName": "Zarathu", "lastName": "Quixote"});
    let session = app.register(&json!({"email": email, "password": PASSWORD, "role": role, "fullName": name})).await;
    let session = session.expect(201);
    Person { id: text(&session["user"]["_id"]), email, token: text(&session["token"]) }
}

fn postal() -> Value {
    json!({
        "fullName": "Zarathu Quixote", "phone": "+91 98765 43299", "street": "7 Nirvana Lane", "city": "Pune",
        "state": "MH", "country": "IN", "zip": "411001",
    })
}

async fn leave(app: &Shop, who: &Person, password: &str) -> Answer {
    app.delete("/api/auth/me").token(&who.token).json(&json!({"password": password})).send().await
}

/// Buys something, with an idempotency key, and waits until it is delivered.
async fn buy(app: &Shop, who: &Person, seller: &Person, product: &str) -> Value {
    app.add_to_cart(who, product, 2).await.expect(200);
    let call = app.post("/api/orders").token(&who.token).header("idempotency-key", "shelf-key-1");
    let order = call.json(&json!({"shippingAddress": postal()})).send().await.expect(201)["order"].clone();
    app.pay(who, &order).await;
    for step in ["ship", "deliver"] {
        leave(app, who, PASSWORD).await.refused(409, "auth.has_open_orders");
        let path = format!("/api/orders/{}/{step}", id(&order));
        app.post(&path).token(&seller.token).json(&json!({})).send().await.expect(200);
    }
    order
}

async fn chat_of(app: &Shop, who: &Person) {
    let mut kept = Conversation::new(ConversationId::generate(), who.id.parse().unwrap(), Timestamp::now());
    let text = "I am Zarathu of Nirvana Lane".to_owned();
    kept.say(Line { by: Speaker::User, text, products: vec![], at: Timestamp::now() });
    app.stores().conversations.save(&kept).await.unwrap();
    app.stores().conversations.spend(who.id.parse().unwrap(), 3, 7).await.unwrap();
}

/// A message about a user that no consumer could handle.
async fn park(app: &Shop, who: &Person) {
    let user = UserSnapshot {
        id: who.id.parse().unwrap(),
        email: who.email.clone(),
        username: "zarathu".to_owned(),
        full_name: FullName { first_name: "Zarathu".to_owned(), last_name: "Quixote".to_owned() },
        role: Role::User,
        created_at: Timestamp::now(),
    };
    let envelope = Envelope::new(Event::UserCreated(user), Timestamp::now());
    let queue = "AUTH_NOTIFICATION.USER_CREATED".to_owned();
    let parked = Parked { id: 0, queue, envelope, attempts: 5, retry_at: None, reason: "on purpose".to_owned() };
    app.stores().outbox.settle(&[], &[parked]).await.unwrap();
}

/// The rows of the whole database that have one of [`MARKS`].
fn traces(settings: &Settings) -> Vec<String> {
    let file = Connection::open(settings.data().join("microbazaar.db")).unwrap();
    let mut tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = vec![];
    for table in tables {
        let mut all = file.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let value = |column| match row.get_ref(column).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).to_lowercase(),
                _ => String::new(),
            };
            let row: String = (0..columns).map(value).collect::<Vec<_>>().join(" ");
            if MARKS.iter().any(|mark| row.contains(mark)) {
                found.push(format!("{table}: {row}"));
            }
        }
    }
    found
}

/// Waits until every consumer has the event of a deletion.
async fn until_forgotten(app: &Shop, order: &Value) {
    let order = id(order).parse().unwrap();
    eventually("the order names nobody", async || {
        app.settle().await;
        app.stores().orders.get(order).await.unwrap().unwrap().shipping_address.is_none()
    })
    .await;
    app.settle().await;
}

#[actix_web::test]
async fn nothing_in_the_database_names_a_user_who_left() {
    let settings = Settings::new();
    let mut config = Shop::usual(&settings);
    config.webhooks.allow_private = true;
    let app = Shop::over(config, settings).await;
    let (seller, root) = (app.seller("mira").await, app.admin().await);
    for (who, events) in [(&seller, "order.*"), (&root, "*")] {
        let hook = json!({"url": "http://127.0.0.1:9/hook", "events": [events]});
        app.post("/api/webhooks").token(&who.token).json(&hook).send().await.expect(201);
    }
    let asha = zarathu(&app, "user").await;
    let lamp = app.product(&seller, "Lamp", 10.0, 50).await;
    app.post("/api/auth/users/me/addresses").token(&asha.token).json(&postal()).send().await.expect(201);
    let order = buy(&app, &asha, &seller, &lamp).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    app.call(Method::PUT, &format!("/api/wishlist/{lamp}")).token(&asha.token).send().await.expect(204);
    let forgot = json!({"email": asha.email});
    app.post("/api/auth/password/forgot").json(&forgot).send().await.expect(202);
    chat_of(&app, &asha).await;
    app.settle().await;
    park(&app, &asha).await;
    assert!(traces(&app.settings).len() > 10, "the test would find them");
    let payment = app.payment_of(&asha, &order).await;
    let mails = app.mailbox().await.len();

    assert!(leave(&app, &asha, PASSWORD).await.expect(202)["message"].is_string());
    until_forgotten(&app, &order).await;
    assert_eq!(traces(&app.settings), Vec::<String>::new());
    let restarted = app.restart().await;
    assert_eq!(traces(&restarted.settings), Vec::<String>::new());

    // What is left is complete.
    let left = restarted.read(&root.token, &format!("/api/orders/{}", id(&order))).await["order"].clone();
    assert_eq!((&left["totalPrice"], &left["status"]), (&order["totalPrice"], &json!("DELIVERED")));
    assert_eq!((&left["shippingAddress"], &left["user"]), (&Value::Null, &json!(asha.id)));
    assert_eq!(restarted.payment_of(&root, &order).await["price"], payment["price"]);
    assert_eq!(restarted.sales(&seller).await, 2);
    let sold = restarted.read(&seller.token, "/api/seller/dashboard/orders").await;
    assert_eq!((id(&sold[0]), &sold[0]["shippingAddress"]), (id(&order), &Value::Null));
    assert_eq!(restarted.mailbox().await.len(), mails, "that mails were sent stays known");
    restarted.shutdown().await;
}

#[actix_web::test]
async fn a_deleted_account_is_unknown_and_its_address_can_be_registered() {
    let app = Shop::open().await;
    let asha = zarathu(&app, "user").await;
    let other = app.login(&json!({"email": asha.email, "password": PASSWORD})).await.expect(200);
    leave(&app, &asha, "not the password").await.refused(400, "auth.wrong_password");
    app.delete("/api/auth/me").token(&asha.token).json(&json!({})).send().await.invalid("password");
    let body = json!({"password": PASSWORD});
    let left = app.post("/api/auth/me/delete").cookie(&asha.token).json(&body).send().await;
    assert!(left.header("set-cookie").is_some_and(|cookie| cookie.starts_with("token=;")), "{left:?}");
    left.expect(202);
    for token in [&asha.token, &text(&other["token"])] {
        app.get("/api/auth/me").token(token).send().await.refused(401, "auth.invalid_token");
        app.post("/api/auth/users/me/addresses").token(token).json(&postal()).send().await.expect(401);
    }
    let deleted: UserId = asha.id.parse().unwrap();
    for name in [
        json!({"email": asha.email}),
        json!({"username": "zarathu-user"}),
        json!({"username": format!("deleted:{deleted}")}),
    ] {
        for password in [PASSWORD, ""] {
            let mut login = name.clone();
            login["password"] = json!(password);
            let refused = app.login(&login).await;
            assert!([400, 401].contains(&refused.status), "{refused:?}");
        }
    }
    app.login(&json!({"email": asha.email, "password": PASSWORD})).await.refused(401, "auth.bad_credentials");
    // The stand-in for MongoDB keeps the unique entry of a value that was changed (ADR 8).
    if app.config.mongo.uri.is_none() {
        let again = zarathu(&app, "user").await;
        assert_ne!(again.id, asha.id);
        let me = app.read(&again.token, "/api/auth/me").await;
        assert_eq!((&me["user"]["username"], &me["user"]["addresses"]), (&json!("zarathu-user"), &json!([])));
        app.settle().await;
        assert_eq!(app.mails_that_begin(&again, "Welcome").await, 1, "the first one is gone");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn what_a_deleted_seller_sells_is_taken_off_the_shop() {
    let app = Shop::open().await;
    let (seller, asha) = (zarathu(&app, "seller").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 50).await;
    let order = app.order(&asha, &lamp, 1).await;
    leave(&app, &seller, PASSWORD).await.refused(409, "auth.has_open_orders");
    app.pay(&asha, &order).await;
    leave(&app, &seller, PASSWORD).await.refused(409, "auth.has_open_orders");
    for step in ["ship", "deliver"] {
        let path = format!("/api/orders/{}/{step}", id(&order));
        app.post(&path).token(&seller.token).json(&json!({})).send().await.expect(200);
    }
    leave(&app, &seller, PASSWORD).await.expect(202);
    eventually("the lamp is gone", async || app.get(&format!("/api/products/{lamp}")).send().await.status == 404).await;
    app.settle().await;
    let left = app.order_now(&asha, &order).await;
    assert_eq!((&left["items"][0]["title"], &left["items"][0]["seller"]), (&json!("Lamp"), &json!(seller.id)));
    assert!(left["shippingAddress"].is_object(), "the buyer's own");
    app.shutdown().await;
}

#[actix_web::test]
async fn the_export_has_everything_that_is_kept_about_a_user() {
    let app = Shop::open().await;
    let (seller, asha, other) = (app.seller("mira").await, zarathu(&app, "user").await, app.user("ravi").await);
    let lamp = app.product(&seller, "Lamp", 10.0, 50).await;
    let order = buy(&app, &asha, &seller, &lamp).await;
    app.add_to_cart(&asha, &lamp, 3).await.expect(200);
    app.call(Method::PUT, &format!("/api/wishlist/{lamp}")).token(&asha.token).send().await.expect(204);
    chat_of(&app, &asha).await;
    app.settle().await;
    let export = app.get("/api/auth/me/export").token(&asha.token).send().await;
    assert!(export.header("content-disposition").is_some_and(|how| how.starts_with("attachment")));
    assert_eq!(export.header("cache-control"), Some("no-store"));
    let export = export.expect(200);
    assert_eq!((&export["user"]["email"], &export["cart"][0]["quantity"]), (&json!(asha.email), &json!(3)));
    assert_eq!((id(&export["orders"][0]), &export["wishlist"]), (id(&order), &json!([lamp])));
    assert_eq!(export["orders"][0]["shippingAddress"]["street"], "7 Nirvana Lane");
    assert_eq!(export["payments"][0]["contact"]["email"], asha.email.as_str());
    assert_eq!(export["conversations"][0]["messages"][0]["text"], "I am Zarathu of Nirvana Lane");
    assert!(
        export["mails"].as_array().unwrap().iter().any(|mail| mail["subject"].as_str().unwrap().starts_with("Welcome"))
    );
    assert!(!export.to_string().contains("argon2"), "no hash");
    let of_seller = app.read(&seller.token, "/api/auth/me/export").await;
    assert_eq!((id(&of_seller["products"][0]), of_seller["orders"].clone()), (lamp.clone(), json!([])));
    let of_other = app.read(&other.token, "/api/auth/me/export").await.to_string().to_lowercase();
    assert!(MARKS.iter().all(|mark| !of_other.contains(mark)), "{of_other}");
    let wishes = WishlistStore::new(Arc::clone(&app.stores().backend)).of_user(asha.id.parse().unwrap()).await.unwrap();
    assert_eq!(wishes.len(), 1, "an export changes nothing");
    app.shutdown().await;
}

#[actix_web::test]
async fn the_page_asks_once_more_before_it_deletes() {
    let app = Shop::open().await;
    let browser = Browser::new(&app);
    browser.sign_up("asha").await;
    browser
        .open("/account")
        .await
        .has("Delete account")
        .has("href=\"/account/export\" download")
        .has("href=\"/account/delete\"");
    let file = browser.open("/account/export").await;
    assert!(file.header("content-disposition").starts_with("attachment"));
    file.has("asha@example.com");
    let page = browser.open("/account/delete").await;
    page.has("Backups").has("autocomplete=\"current-password\"").lacks("aria-invalid");
    let refused = browser.submit(&page, "/account/delete", &[("password", "")]).await;
    refused.has("Enter your password.");
    let refused = browser.submit(&refused, "/account/delete", &[("password", "not the password")]).await;
    refused.has("id=\"e-password\"").has("This is not your password.");
    let done = browser.submit(&refused, "/account/delete", &[("password", PASSWORD)]).await;
    assert_eq!(done.path, "/");
    done.has("Your account is deleted.").has("Log in");
    assert!(browser.get("/account/delete").await.path.starts_with("/login"));
    app.login(&json!({"email": "asha@example.com", "password": PASSWORD})).await.refused(401, "auth.bad_credentials");
    app.shutdown().await;
}
