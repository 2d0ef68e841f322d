//! The whole program over HTTP: every path of the API.
//!
//! Each test has its own [`TestApp`], on a free port and in its own folder.
//!
//! **Invariant:** every response is checked for what all responses have in common (`answer`).

mod accounts;
mod addresses;
mod admin_create;
mod answer;
mod blocking;
mod cart;
mod chat;
mod client;
mod conventions;
mod csrf;
mod dead;
mod imagekit;
mod inventory;
mod late_money;
mod mailbox;
mod matrix;
mod mcp;
mod openapi;
mod operations;
mod orders;
mod pages;
mod payments;
mod pictures;
mod products;
mod public_url;
mod receiver;
mod refunds;
mod representations;
mod rush;
mod search;
mod seller;
mod servers;
mod shipping;
mod upgrade;
mod webhooks;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use answer::Answer;
use client::Call;
use microbazaar::{
    actors::accounts::calls::CreateAdmin,
    actors::tokens::Tokens,
    app::App,
    config::{Config, Overrides, Sources},
    domain::{Timestamp, ids::UserId, user::Role},
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use servers::Vhost;

/// The secret of every test's tokens.
const SECRET: &str = "a secret of thirty-two bytes, or so";
/// The secret of every test's webhooks.
const WEBHOOK_SECRET: &str = "a webhook secret of some length, too";
/// The password of every account.
const PASSWORD: &str = "correct horse";
/// The deadline of a test's waits.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder that is removed after the test, and its vhost.
struct Folder(PathBuf, Option<Vhost>);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running shop.
struct TestApp {
    app: App,
    base: String,
    client: reqwest::Client,
    config: Config,
    folder: Folder,
}

/// A logged-in user.
#[derive(Debug, Clone)]
struct Person {
    id: String,
    email: String,
    token: String,
}

impl TestApp {
    async fn spawn() -> Self {
        Self::spawn_with(|_| {}).await
    }

    /// Starts with changed settings.
    async fn spawn_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = std::env::temp_dir().join(format!("microbazaar-api-{}", UserId::generate()));
        let mut folder = Folder(folder, None);
        let mut config = Self::config_in(&folder);
        folder.1 = servers::of_their_own(&mut config).await;
        change(&mut config);
        Self::start(config, folder).await
    }

    /// The default settings of the tests.
    fn config_in(folder: &Folder) -> Config {
        let mut config = Config::load_from(&Sources::of_variables([]), &Overrides::default()).unwrap();
        config.data_dir = folder.0.clone();
        config.jwt_secret = Some(SecretString::from(SECRET));
        config.razorpay.webhook_secret = Some(SecretString::from(WEBHOOK_SECRET));
        config.http.port = 0;
        config.http.workers = 2;
        config.rate_limit.enabled = false;
        config.passwords.concurrency = 2;
        config
    }

    async fn start(config: Config, folder: Folder) -> Self {
        let app = App::start(&config).await.unwrap();
        let base = format!("http://{}", app.address);
        let client = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        let app = Self { app, base, client, config, folder };
        if app.config.rabbit.url.is_some() || app.config.redis.url.is_some() {
            app.until_reached().await;
        }
        app
    }

    /// Waits until all its servers are connected.
    async fn until_reached(&self) {
        let started = Instant::now();
        loop {
            let answer = self.client.get(format!("{}/readyz", self.base)).send().await.unwrap();
            let view: Value = answer.json().await.unwrap();
            let away = |server| view["away"].as_array().is_some_and(|away| away.contains(&json!(server)));
            if !away("rabbitmq") && !away("redis") {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "its servers are reached in time: {view}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Ends, and checks that there is no pending work.
    async fn shutdown(self) {
        self.end().await;
    }

    /// Ends, and starts again over the same folder.
    async fn restart(self) -> Self {
        let config = self.config.clone();
        let folder = self.end().await;
        Self::start(config, folder).await
    }

    async fn end(self) -> Folder {
        drop(self.client);
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!((ended.actors_alive, ended.events_waiting), (0, 0), "{ended:?}");
        self.folder
    }

    /// Waits until every event is handled.
    async fn settle(&self) {
        assert_eq!(self.app.settle(DEADLINE).await.unwrap(), 0, "events still wait");
        if let (Some(vhost), true) = (&self.folder.1, self.config.rabbit.url.is_some()) {
            vhost.settle().await;
        }
    }

    /// Repeats a request until the response is as expected.
    async fn until(&self, what: &str, token: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let body = self.get(path).token(token).send().await.expect(200);
            if holds(&body) {
                return body;
            }
            assert!(started.elapsed() < DEADLINE, "{what} did not come: {body}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.client.request(method, format!("{}{path}", self.base)))
    }

    fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    async fn register(&self, body: &Value) -> Answer {
        self.post("/api/auth/register").json(body).send().await
    }

    async fn login(&self, body: &Value) -> Answer {
        self.post("/api/auth/login").json(body).send().await
    }

    async fn person(&self, name: &str, role: &str) -> Person {
        let email = format!("{name}@example.com");
        let name = json!({"firstName": "Asha", "lastName": "Rao"});
        let body = json!({"email": email, "password": PASSWORD, "role": role, "fullName": name});
        let session = self.register(&body).await.expect(201);
        Person { id: text(&session["user"]["_id"]), email, token: text(&session["token"]) }
    }

    /// A registered buyer.
    async fn user(&self, name: &str) -> Person {
        self.person(name, "user").await
    }

    /// A registered seller.
    async fn seller(&self, name: &str) -> Person {
        self.person(name, "seller").await
    }

    /// An admin, created as on the command line.
    async fn admin(&self) -> Person {
        let email = "root@example.com".to_owned();
        let create = CreateAdmin { email: email.clone(), username: None, password: SecretString::from(PASSWORD) };
        let id = self.app.services.calls.ask(create).await.unwrap().id;
        Person { id: id.to_hex(), email, token: issue(id, Role::Admin) }
    }

    /// A buyer who has a token but no account.
    fn stranger(&self) -> Person {
        let id = UserId::generate();
        Person { id: id.to_hex(), email: String::new(), token: issue(id, Role::User) }
    }

    /// The token of another process of the platform.
    fn service_token(&self) -> String {
        tokens().issue_service("order", Timestamp::now()).unwrap()
    }

    /// Creates a product; returns its id.
    async fn product(&self, seller: &Person, title: &str, price: f64, stock: u32) -> String {
        let body = json!({"title": title, "priceAmount": price, "stock": stock});
        let created = self.post("/api/products").token(&seller.token).json(&body).send().await.expect(201);
        text(&created["product"]["_id"])
    }

    async fn add_to_cart(&self, who: &Person, product: &str, quantity: u32) -> Answer {
        let body = json!({"productId": product, "quantity": quantity});
        self.post("/api/cart/items").token(&who.token).json(&body).send().await
    }

    async fn place_order(&self, who: &Person, body: &Value) -> Answer {
        self.post("/api/orders").token(&who.token).json(body).send().await
    }

    /// Orders `quantity` of a product.
    async fn order(&self, who: &Person, product: &str, quantity: u32) -> Value {
        self.add_to_cart(who, product, quantity).await.expect(200);
        let body = json!({"shippingAddress": address("Pune")});
        self.place_order(who, &body).await.expect(201)["order"].clone()
    }

    async fn order_now(&self, who: &Person, order: &Value) -> Value {
        let path = format!("/api/orders/{}", id(order));
        self.get(&path).token(&who.token).send().await.expect(200)["order"].clone()
    }

    async fn open_payment(&self, who: &Person, order: &Value) -> Answer {
        self.post(&format!("/api/payments/create/{}", id(order))).token(&who.token).send().await
    }

    async fn sandbox(&self, who: &Person, razorpay_order: &str, outcome: &str) -> Answer {
        let path = format!("/sandbox/payments/{razorpay_order}");
        self.post(&path).token(&who.token).json(&json!({"outcome": outcome})).send().await
    }

    async fn verify(&self, who: &Person, checkout: &Value) -> Answer {
        self.post("/api/payments/verify").token(&who.token).json(checkout).send().await
    }

    /// Pays an order in full; returns the payment.
    async fn pay(&self, who: &Person, order: &Value) -> Value {
        let opened = self.open_payment(who, order).await.expect(201);
        let checkout = self.sandbox(who, opened["razorpayOrderId"].as_str().unwrap(), "success").await.expect(200);
        let verified = self.verify(who, &checkout).await.expect(200);
        assert_eq!(verified["message"], "Payment verified");
        verified["payment"].clone()
    }

    async fn payment_of(&self, who: &Person, order: &Value) -> Value {
        let path = format!("/api/payments/order/{}", id(order));
        self.get(&path).token(&who.token).send().await.expect(200)["payment"].clone()
    }

    /// On hand, reserved, available.
    async fn stock(&self, product: &str) -> (i64, i64, i64) {
        let level = self.get(&format!("/api/inventory/{product}")).send().await.expect(200);
        assert_eq!(level["productId"], product);
        let number = |key: &str| level[key].as_i64().unwrap();
        (number("onHand"), number("reserved"), number("available"))
    }

    /// The mails to somebody, oldest first, as (subject, text, html).
    async fn mails(&self, to: &Person) -> Vec<(String, String, String)> {
        self.settle().await;
        let mails = self.get("/dev/mailbox").header("accept", "application/json").send().await.expect(200);
        let mails = mails.as_array().unwrap().iter().rev().filter(|mail| mail["to"] == to.email.as_str());
        mails.map(|mail| (text(&mail["subject"]), text(&mail["text"]), text(&mail["html"]))).collect()
    }

    /// How many mails to a user have a subject with this prefix.
    async fn mails_that_begin(&self, to: &Person, subject: &str) -> usize {
        self.mails(to).await.iter().filter(|mail| mail.0.starts_with(subject)).count()
    }
}

fn tokens() -> Tokens {
    Tokens::new(SECRET.as_bytes())
}

fn issue(user: UserId, role: Role) -> String {
    tokens().issue(user, role, Timestamp::now()).unwrap().0
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The id of a stored document.
fn id(document: &Value) -> String {
    let id = text(&document["_id"]);
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id} is no id");
    id
}

fn money(amount: f64) -> Value {
    let whole = amount.fract() == 0.0;
    json!({"amount": if whole { json!(amount as i64) } else { json!(amount) }, "currency": "INR"})
}

fn address(city: &str) -> Value {
    json!({"street": "12 Lake Road", "city": city, "state": "MH", "country": "IN", "zip": "411001"})
}

/// Whether it is a time in UTC.
fn is_moment(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<Timestamp>().is_ok())
}
