//! A shop with data of every kind, made over its own API.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Cursor,
    path::Path,
};

use microbazaar::{
    domain::{
        Timestamp,
        conversation::{Conversation, Line, Speaker},
        event::{Envelope, Event, UserSnapshot},
        ids::{ConversationId, EventId, ImageId, ProductId, UserId},
        import::{ChangedRow, Import, ImportRow, RowChange, Tally},
        product::ProductPatch,
        user::User,
    },
    store::{
        StoredReport, Stores,
        conversations::day_of,
        outbox::Parked,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use test_support::{PASSWORD, Person, Settings, Shop, address, eventually, text};

/// An address where nothing listens.
const NOBODY: &str = "http://127.0.0.1:9/hook";

/// Its users, and the paths that each reads.
#[derive(Default)]
pub struct People {
    tokens: BTreeMap<&'static str, String>,
    /// User and path.
    looks: Vec<(&'static str, String)>,
    /// The token of a user who has logged out.
    pub dead: String,
    /// The user whose welcome mail was pending when the shop ended.
    pub unwelcomed: String,
}

pub fn settings() -> Settings {
    // A delivery is tried once, and not again during the test.
    Settings::new()
        .set("MICROBAZAAR_HTTP__WORKERS", "1")
        .set("MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE", "true")
        .set("MICROBAZAAR_WEBHOOKS__RETRY_DELAYS", "10h,10h")
}

async fn join(shop: &Shop, people: &mut People, name: &'static str, role: &str) -> Person {
    let person = shop.person(name, role).await;
    people.tokens.insert(name, person.token.clone());
    person
}

async fn product(shop: &Shop, seller: &Person, title: &str, stock: u32) -> Value {
    let mut form = Form::new().text("title", title.to_owned()).text("priceAmount", "120.5");
    form = form.text("stock", stock.to_string());
    for shade in [40, 200] {
        let part = Part::bytes(picture(shade)).file_name("a.png").mime_str("image/png").unwrap();
        form = form.part("images", part);
    }
    let made = shop.post("/api/products").token(&seller.token).form(form).send().await;
    made.expect(201)["product"].clone()
}

async fn order(shop: &Shop, buyer: &Person, product: &Value, quantity: u32) -> String {
    fill_cart(shop, buyer, product, quantity).await;
    let placing = shop.post("/api/orders").token(&buyer.token).header("idempotency-key", &quantity.to_string());
    let placed = placing.json(&json!({"shippingAddress": address("Pune")})).send().await;
    text(&placed.expect(201)["order"]["_id"])
}

async fn fill_cart(shop: &Shop, buyer: &Person, product: &Value, quantity: u32) {
    shop.add_to_cart(buyer, &text(&product["_id"]), quantity).await.expect(200);
}

/// Fills a shop with something of everything.
pub async fn fill(shop: &Shop) -> People {
    let mut people = People::default();
    let (mira, ravi) =
        (join(shop, &mut people, "mira", "seller").await, join(shop, &mut people, "ravi", "seller").await);
    let (asha, omar) = (join(shop, &mut people, "asha", "user").await, join(shop, &mut people, "omar", "user").await);
    let admin = shop.admin().await.token;
    people.tokens.insert("root", admin.clone());
    for events in ["order.*", "product.created", "product.*"] {
        let hook = json!({"url": NOBODY, "events": [events], "secret": "a secret that the receiver has"});
        let made = shop.do_as(&mira.token, "/api/webhooks", &hook).await;
        people.look("mira", &format!("/api/webhooks/{}/deliveries", text(&made["webhook"]["_id"])));
    }
    let (lamp, cup) = (product(shop, &mira, "Lamp", 50).await, product(shop, &ravi, "Cup", 9).await);
    let gone = product(shop, &ravi, "Gone", 3).await;
    let path = format!("/api/products/{}", text(&gone["_id"]));
    shop.delete(&path).token(&ravi.token).send().await.expect(204);
    let (open, paid) = (order(shop, &asha, &lamp, 1).await, order(shop, &asha, &lamp, 2).await);
    let (shipped, cancelled) = (order(shop, &omar, &cup, 3).await, order(shop, &omar, &cup, 1).await);
    shop.pay(&asha, &json!({"_id": paid})).await;
    let payment = text(&shop.pay(&omar, &json!({"_id": shipped})).await["_id"]);
    shop.do_as(&ravi.token, &format!("/api/orders/{shipped}/ship"), &json!({"trackingNumber": "AWB-1"})).await;
    shop.do_as(&omar.token, &format!("/api/orders/{cancelled}/cancel"), &json!({})).await;
    let part = json!({"amount": {"amount": 20.5}, "reason": "scratched"});
    shop.do_as(&admin, &format!("/api/payments/{payment}/refunds"), &part).await;
    fill_cart(shop, &asha, &cup, 2).await;
    let wished = format!("/api/wishlist/{}", text(&cup["_id"]));
    shop.call(Method::PUT, &wished).token(&asha.token).send().await.expect(204);
    people.dead = login(shop, "omar@example.com").await;
    shop.do_as(&people.dead, "/api/auth/logout", &json!({})).await;
    shop.settle().await;
    for (who, orders) in [("asha", [&open, &paid]), ("omar", [&shipped, &cancelled])] {
        for path in ["/api/auth/me", "/api/cart", "/api/orders/me", "/api/auth/users/me/addresses"] {
            people.look(who, path);
        }
        for order in orders {
            people.look(who, &format!("/api/orders/{order}"));
        }
    }
    people.look("asha", "/api/wishlist");
    people.look("asha", &format!("/api/payments/order/{paid}"));
    people.look("omar", &format!("/api/payments/{payment}"));
    for who in ["mira", "ravi"] {
        for what in ["metrics", "orders", "products"] {
            people.look(who, &format!("/api/seller/dashboard/{what}"));
        }
        people.look(who, "/api/webhooks");
    }
    for product in [&lamp, &cup, &gone] {
        people.look("nobody", &format!("/api/products/{}", text(&product["_id"])));
        people.look("nobody", &format!("/api/inventory/{}", text(&product["_id"])));
        for image in product["images"].as_array().unwrap().iter().filter(|_| product != &gone) {
            people.look("nobody", &text(&image["url"]));
            people.look("nobody", &text(&image["thumbnail"]));
        }
    }
    people.look("nobody", "/api/products?q=lamp");
    people.look("omar", "/api/ai/conversations");
    people
}

/// The token of a login.
pub async fn login(shop: &Shop, email: &str) -> String {
    text(&shop.login(&json!({"email": email, "password": PASSWORD})).await.expect(200)["token"])
}

/// What everybody sees, by who looks where.
pub async fn seen(shop: &Shop, people: &People) -> BTreeMap<String, (u16, String)> {
    let mut seen = BTreeMap::new();
    for (who, path) in &people.looks {
        let answer = shop.get(path).token(people.token(who)).send().await;
        // A picture stays whole in this form, and an error's body names the request.
        let body = String::from_utf8(answer.body.to_vec()).unwrap_or_else(|picture| hex::encode(picture.into_bytes()));
        let body = match answer.status {
            200..400 if path.ends_with("/deliveries") => moved_deliveries(&body),
            200..400 => body,
            _ => String::new(),
        };
        seen.insert(format!("{who} {path}"), (answer.status, body));
    }
    seen
}

/// The subjects of the mails to somebody, oldest first.
pub async fn mails(shop: &Shop, to: &str) -> Vec<String> {
    let mails = shop.mailbox().await.into_iter().rev().filter(|mail| mail["to"] == to);
    mails.map(|mail| text(&mail["subject"])).collect()
}

pub async fn until_ready(shop: &Shop) {
    eventually("it is ready", async || shop.readyz().await.0 == 200).await;
}

impl People {
    pub fn token(&self, who: &str) -> &str {
        self.tokens.get(who).map_or("", String::as_str)
    }

    fn look(&mut self, who: &'static str, path: &str) {
        self.looks.push((who, path.to_owned()));
    }

    pub fn emails(&self) -> Vec<String> {
        self.tokens.keys().map(|name| format!("{name}@example.com")).collect()
    }
}

/// The deliveries in any order; for those made after the transfer, only which they are.
fn moved_deliveries(body: &str) -> String {
    let rows: Vec<Value> = serde_json::from_str(body).unwrap();
    let (late, known): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row["type"] == "order.updated");
    let late: BTreeSet<String> = late.iter().map(|row| text(&row["_id"])).collect();
    json!([late, known]).to_string()
}

fn picture(shade: u8) -> Vec<u8> {
    let drawn = image::RgbImage::from_pixel(40, 30, image::Rgb([shade, 90, 60]));
    let mut out = Cursor::new(Vec::new());
    image::DynamicImage::ImageRgb8(drawn).write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

/// A user's registration, as an event.
fn registered(user: &User) -> Envelope {
    let snapshot = UserSnapshot {
        id: user.id,
        email: user.email.clone(),
        username: user.username.clone(),
        full_name: user.full_name.clone(),
        role: user.role,
        created_at: user.created_at,
    };
    Envelope::new(Event::UserCreated(snapshot), Timestamp::now())
}

/// Leaves in a stopped shop what a crash leaves: undelivered events, and dead letters.
pub async fn leave_behind(data: &Path, people: &mut People) {
    let sqlite = SqliteStore::open(data, SqliteOptions::default()).unwrap();
    let stores: Stores = sqlite.stores();
    let omar = stores.accounts.by_email("omar@example.com").await.unwrap().unwrap();
    people.unwelcomed = "late@example.com".to_owned();
    let late =
        User { id: UserId::generate(), email: people.unwelcomed.clone(), username: "late".into(), ..omar.clone() };
    let late = User { version: 0, ..late };
    stores.accounts.save(&late, &[registered(&late)]).await.unwrap();
    let orders = stores.orders.all(None, 10).await.unwrap();
    let again = orders.iter().map(|order| Envelope::new(Event::OrderUpdated(order.clone()), Timestamp::now()));
    for (order, event) in orders.iter().zip(again) {
        stores.orders.save(order, &[event.clone(), Envelope { id: EventId::generate(), ..event }]).await.unwrap();
    }
    let parked = |retry_at| Parked {
        id: 0,
        queue: "AUTH_NOTIFICATION.USER_CREATED".to_owned(),
        envelope: registered(&omar),
        attempts: 5,
        retry_at,
        reason: "the consumer panicked".to_owned(),
    };
    let later = Timestamp::now().saturating_add(jiff::SignedDuration::from_hours(5)).unwrap();
    stores.outbox.settle(&[], &[parked(None), parked(None), parked(Some(later))]).await.unwrap();
    let now = Timestamp::now();
    for id in ["evt_1", "evt_2"] {
        let report = StoredReport { id: id.into(), body: b"{}".to_vec(), received_at: now, attempts: 0 };
        stores.payments.keep_report(&report, now).await.unwrap();
    }
    stores.payments.report_done("evt_1", "ignored").await.unwrap();
    stores.pictures.open(ImageId::generate(), ProductId::generate(), now).await.unwrap();
    let mut talk = Conversation::new(ConversationId::generate(), omar.id, now);
    talk.say(Line {
        by: Speaker::User,
        text: "a lamp, {\"$gt\": 1}".into(),
        products: vec![ProductId::generate()],
        at: now,
    });
    talk.known.note(&[ProductId::generate()]);
    stores.conversations.save(&talk).await.unwrap();
    stores.conversations.spend(omar.id, day_of(now), 700).await.unwrap();
    let import = unfinished(UserId::generate(), now);
    let (product, patch) = (ProductId::generate(), ProductPatch::default());
    let change = ChangedRow { product, patch, stock: Some(3), stock_seen: None };
    let row = ImportRow { line: 2, title: "gone".into(), change: RowChange::Change(Box::new(change)) };
    stores.imports.save(&import, Some(&[row]), &[]).await.unwrap();
    drop(stores);
    sqlite.close().unwrap();
}

/// An import that was accepted and not carried out.
fn unfinished(seller: UserId, now: Timestamp) -> Import {
    Import {
        id: Import::id_of(seller, b"digest"),
        seller,
        digest: hex::encode(b"digest"),
        name: "products.csv".into(),
        created_at: now,
        started_at: now,
        run: 1,
        rows: 1,
        done: 0,
        note: None,
        stock_set: vec![],
        attempts: 0,
        tally: Tally::default(),
        finished_at: None,
        due_at: now,
        version: 0,
    }
}
