//! A shop with data of every kind, made over its own API.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Cursor,
    path::PathBuf,
    time::Duration,
};

use microbazaar::{
    actors::accounts::calls::CreateAdmin,
    app::App,
    config::{Config, Overrides, Sources},
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
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::replicas::shop::{address, text};

const PASSWORD: &str = "correct horse";
/// The secret of every token.
const SECRET: &str = "a secret of thirty-two bytes, or so";
/// The deadline of a test's waits.
const DEADLINE: Duration = Duration::from_secs(30);
/// An address where nothing listens.
const NOBODY: &str = "http://127.0.0.1:9/hook";

/// A folder that is removed after the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("microbazaar-moved-{}", UserId::generate())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A running shop.
pub struct Shop {
    pub app: App,
    base: String,
    client: reqwest::Client,
}

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

pub fn config(folder: &Folder, mongo: Option<(&str, &str)>) -> Config {
    let mut config = Config::load_from(&Sources::of_variables([]), &Overrides::default()).unwrap();
    config.data_dir = folder.0.clone();
    config.jwt_secret = Some(SecretString::from(SECRET));
    config.http.port = 0;
    config.http.workers = 1;
    config.rate_limit.enabled = false;
    config.webhooks.allow_private = true;
    // Tried once, and not again during the test.
    config.webhooks.retry_delays = vec![Duration::from_secs(36_000); 2];
    if let Some((uri, prefix)) = mongo {
        config.mongo.uri = Some(SecretString::from(uri));
        config.mongo.database_prefix = prefix.to_owned();
    }
    config
}

impl Shop {
    pub async fn start(config: &Config) -> Self {
        let app = App::start(config).await.unwrap();
        let base = format!("http://{}", app.address);
        let client = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        Self { app, base, client }
    }

    fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base)).header("accept", "application/json");
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    pub async fn get(&self, path: &str, token: &str) -> (u16, Vec<u8>) {
        let answer = self.request(Method::GET, path, token).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    pub async fn json(&self, path: &str, token: &str) -> Value {
        let (status, bytes) = self.get(path, token).await;
        assert_eq!(status, 200, "{path}");
        serde_json::from_slice(&bytes).unwrap()
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let answer = self.request(Method::POST, path, token).json(body).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null));
        assert!((200..300).contains(&status), "{path}: {status} {body}");
        body
    }

    async fn join(&self, people: &mut People, name: &'static str, role: &str) -> String {
        let new = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "role": role});
        let token = text(&self.post("/api/auth/register", "", &new).await["token"]);
        people.tokens.insert(name, token.clone());
        token
    }

    async fn product(&self, seller: &str, title: &str, stock: u32) -> Value {
        let mut form = Form::new().text("title", title.to_owned()).text("priceAmount", "120.5");
        form = form.text("stock", stock.to_string());
        for shade in [40, 200] {
            let part = Part::bytes(picture(shade)).file_name("a.png").mime_str("image/png").unwrap();
            form = form.part("images", part);
        }
        let sent = self.request(Method::POST, "/api/products", seller).multipart(form).send().await.unwrap();
        assert_eq!(sent.status().as_u16(), 201);
        sent.json::<Value>().await.unwrap()["product"].clone()
    }

    async fn order(&self, buyer: &str, product: &Value, quantity: u32) -> String {
        self.fill_cart(buyer, product, quantity).await;
        let placing = self.request(Method::POST, "/api/orders", buyer).header("idempotency-key", format!("{quantity}"));
        let placed = placing.json(&json!({"shippingAddress": address()})).send().await.unwrap();
        assert_eq!(placed.status().as_u16(), 201);
        text(&placed.json::<Value>().await.unwrap()["order"]["_id"])
    }

    async fn fill_cart(&self, buyer: &str, product: &Value, quantity: u32) {
        let line = json!({"productId": product["_id"], "quantity": quantity});
        self.post("/api/cart/items", buyer, &line).await;
    }

    /// Pays an order; returns the payment's id.
    pub async fn pay(&self, buyer: &str, order: &str) -> String {
        let opened = self.post(&format!("/api/payments/create/{order}"), buyer, &json!({})).await;
        let path = format!("/sandbox/payments/{}", text(&opened["razorpayOrderId"]));
        let checkout = self.post(&path, buyer, &json!({"outcome": "success"})).await;
        text(&self.post("/api/payments/verify", buyer, &checkout).await["payment"]["_id"])
    }

    /// Fills it with data of every kind.
    pub async fn fill(&self) -> People {
        let mut people = People::default();
        let (mira, ravi) =
            (self.join(&mut people, "mira", "seller").await, self.join(&mut people, "ravi", "seller").await);
        let (asha, omar) = (self.join(&mut people, "asha", "user").await, self.join(&mut people, "omar", "user").await);
        let root = "root@example.com".to_owned();
        let create = CreateAdmin { email: root.clone(), username: None, password: SecretString::from(PASSWORD) };
        self.app.services.calls.ask(create).await.unwrap();
        let admin = text(&self.login(&root).await["token"]);
        people.tokens.insert("root", admin.clone());
        for events in ["order.*", "product.created", "product.*"] {
            let hook = json!({"url": NOBODY, "events": [events], "secret": "a secret that the receiver has"});
            let made = self.post("/api/webhooks", &mira, &hook).await;
            people.look("mira", &format!("/api/webhooks/{}/deliveries", text(&made["webhook"]["_id"])));
        }
        let (lamp, cup) = (self.product(&mira, "Lamp", 50).await, self.product(&ravi, "Cup", 9).await);
        let gone = self.product(&ravi, "Gone", 3).await;
        let path = format!("/api/products/{}", text(&gone["_id"]));
        assert_eq!(self.request(Method::DELETE, &path, &ravi).send().await.unwrap().status().as_u16(), 204);
        let (open, paid) = (self.order(&asha, &lamp, 1).await, self.order(&asha, &lamp, 2).await);
        let (shipped, cancelled) = (self.order(&omar, &cup, 3).await, self.order(&omar, &cup, 1).await);
        self.pay(&asha, &paid).await;
        let payment = self.pay(&omar, &shipped).await;
        self.post(&format!("/api/orders/{shipped}/ship"), &ravi, &json!({"trackingNumber": "AWB-1"})).await;
        self.post(&format!("/api/orders/{cancelled}/cancel"), &omar, &json!({})).await;
        let part = json!({"amount": {"amount": 20.5}, "reason": "scratched"});
        self.post(&format!("/api/payments/{payment}/refunds"), &admin, &part).await;
        self.fill_cart(&asha, &cup, 2).await;
        people.dead = text(&self.login("omar@example.com").await["token"]);
        self.post("/api/auth/logout", &people.dead, &json!({})).await;
        self.app.settle(DEADLINE).await.unwrap();
        for (who, orders) in [("asha", [&open, &paid]), ("omar", [&shipped, &cancelled])] {
            for path in ["/api/auth/me", "/api/cart", "/api/orders/me", "/api/auth/users/me/addresses"] {
                people.look(who, path);
            }
            for order in orders {
                people.look(who, &format!("/api/orders/{order}"));
            }
        }
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

    pub async fn login(&self, email: &str) -> Value {
        self.post("/api/auth/login", "", &json!({"email": email, "password": PASSWORD})).await
    }

    /// What each user sees, by user and path.
    pub async fn seen(&self, people: &People) -> BTreeMap<String, (u16, String)> {
        let mut seen = BTreeMap::new();
        for (who, path) in &people.looks {
            let token = people.token(who);
            let (status, bytes) = self.get(path, token).await;
            // A picture stays unchanged in this form, and an error's body contains the request's id.
            let body = String::from_utf8(bytes).unwrap_or_else(|picture| hex::encode(picture.into_bytes()));
            let body = match status {
                200..400 if path.ends_with("/deliveries") => moved_deliveries(&body),
                200..400 => body,
                _ => String::new(),
            };
            seen.insert(format!("{who} {path}"), (status, body));
        }
        seen
    }

    /// The subjects of the mails to a user, oldest first.
    pub async fn mails(&self, to: &str) -> Vec<String> {
        let mails = self.json("/dev/mailbox", "").await;
        let to_her = mails.as_array().unwrap().iter().rev().filter(|mail| mail["to"] == to);
        to_her.map(|mail| text(&mail["subject"])).collect()
    }

    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn ready(&self) {
        self.until("it is ready", async || self.get("/readyz", "").await.0 == 200).await;
    }
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
pub async fn leave_behind(folder: &Folder, people: &mut People) {
    let sqlite = SqliteStore::open(&folder.0, SqliteOptions::default()).unwrap();
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
