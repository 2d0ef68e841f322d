//! A shop whose events are transported over the broker.

use std::{path::PathBuf, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use microbazaar::{
    app::App,
    config::{Config, Consume, Overrides, Sources},
    domain::{
        ids::UserId,
        user::{Role, User},
    },
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::broker::DEADLINE;

/// The secret of the gateway's webhooks.
const WEBHOOK_SECRET: &str = "a webhook secret of some length, too";

/// A running shop with a seller, a buyer and a product.
pub struct Shop {
    app: App,
    base: String,
    client: reqwest::Client,
    folder: PathBuf,
    pub seller: String,
    pub buyer: String,
    pub product: String,
}

impl Shop {
    /// Starts a shop that reads all queues, or these.
    pub async fn start(url: &str, consume: Option<Vec<String>>) -> Self {
        let folder = std::env::temp_dir().join(format!("microbazaar-broker-{}", UserId::generate()));
        let mut config = Config::load_from(&Sources::of_variables([]), &Overrides::default()).unwrap();
        config.data_dir = folder.clone();
        config.jwt_secret = Some(SecretString::from("a secret of thirty-two bytes, or so"));
        config.razorpay.webhook_secret = Some(SecretString::from(WEBHOOK_SECRET));
        config.http.port = 0;
        config.rate_limit.enabled = false;
        config.rabbit.url = Some(SecretString::from(url));
        config.rabbit.consume = consume.map_or(Consume::All, Consume::Queues);
        config.webhooks.allow_private = true;
        let app = App::start(&config).await.unwrap();
        let base = format!("http://{}", app.address);
        let client = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        let nobody = String::new;
        let mut shop = Self { app, base, client, folder, seller: nobody(), buyer: nobody(), product: nobody() };
        shop.seller = shop.join("seller").await;
        shop.buyer = shop.join("user").await;
        let new = json!({"title": "Lamp", "priceAmount": 10, "stock": 10_000});
        shop.product = text(&shop.post("/api/products", &shop.seller, &new).await["product"]["_id"]);
        shop
    }

    async fn join(&self, role: &str) -> String {
        let email = format!("{}@example.com", UserId::generate());
        let new = json!({"email": email, "password": "correct horse", "role": role});
        text(&self.post("/api/auth/register", "", &new).await["token"])
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.base)).header("accept", "application/json");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Buys two units, pays, and returns the order's id.
    pub async fn purchase(&self) -> String {
        self.post("/api/cart/items", &self.buyer, &json!({"productId": self.product, "quantity": 2})).await;
        let order = text(&self.post("/api/orders", &self.buyer, &json!({})).await["order"]["_id"]);
        let opened = self.post(&format!("/api/payments/create/{order}"), &self.buyer, &json!({})).await;
        let gateway = text(&opened["razorpayOrderId"]);
        let paid =
            self.post(&format!("/sandbox/payments/{gateway}"), &self.buyer, &json!({"outcome": "success"})).await;
        self.post("/api/payments/verify", &self.buyer, &paid).await;
        order
    }

    /// Sends the gateway's report of a dispute about a payment; there is one admin, who gets the mail.
    pub async fn report_dispute(&self, paid: &Value) {
        let accounts = self.app.storage.stores().accounts;
        let seller = accounts.get(self.seller_id().await.parse().unwrap()).await.unwrap().unwrap();
        let (id, email, username) = (UserId::generate(), "root@example.com".to_owned(), "root".to_owned());
        accounts.save(&User { id, email, username, role: Role::Admin, version: 0, ..seller }, &[]).await.unwrap();
        let (order, payment) = (&paid["razorpay_order_id"], &paid["razorpay_payment_id"]);
        let dispute = json!({
            "id": "disp_1", "payment_id": payment, "amount": 6_100, "currency": "INR",
            "reason_code": "goods_not_received", "respond_by": 1_900_000_000,
        });
        let report = json!({
            "event": "payment.dispute.created",
            "payload": {"dispute": {"entity": dispute}, "payment": {"entity": {"id": payment, "order_id": order}}},
        });
        let body = report.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = self.client.post(format!("{}/api/payments/webhook", self.base)).body(body);
        let answer = request.header("x-razorpay-signature", signature).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }

    /// Registers a webhook of the seller's orders with this URL.
    pub async fn register_webhook(&self, url: &str) {
        self.post("/api/webhooks", &self.seller, &json!({"url": url, "events": ["order.*"]})).await;
    }

    pub async fn order_status(&self, order: &str) -> String {
        text(&self.get(&format!("/api/orders/{order}"), &self.buyer).await.1["order"]["status"])
    }

    /// Units sold, as on the seller's dashboard.
    pub async fn sales(&self) -> u64 {
        self.get("/api/seller/dashboard/metrics", &self.seller).await.1["sales"].as_u64().unwrap_or(0)
    }

    /// Calls the API as the bearer of `token`.
    pub async fn send(&self, method: reqwest::Method, path: &str, token: &str, body: &Value) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token).json(body);
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// A response of the API for the seller.
    pub async fn of_seller(&self, path: &str) -> Value {
        self.get(path, &self.seller).await.1
    }

    pub async fn seller_id(&self) -> String {
        text(&self.of_seller("/api/auth/me").await["user"]["_id"])
    }

    pub async fn mails_to(&self, address: &str) -> usize {
        let (_, mails) = self.get("/dev/mailbox", "").await;
        mails.as_array().unwrap().iter().filter(|mail| mail["to"] == address).count()
    }

    pub async fn readyz(&self) -> (u16, String) {
        let (status, view) = self.get("/readyz", "").await;
        (status, text(&view["status"]))
    }

    async fn subjects(&self) -> Vec<String> {
        let mails = self.app.storage.stores().mailbox.list(100_000).await.unwrap();
        mails.into_iter().map(|mail| mail.subject).collect()
    }

    /// Waits until the dashboard shows exactly these orders, and each has its mails.
    pub async fn until_shown(&self, orders: &[String]) {
        let units = 2 * u64::try_from(orders.len()).unwrap();
        self.until("the dashboard counts every sale", async || self.sales().await >= units).await;
        let of = |order: &String| {
            [format!("Payment initiated for order {order}"), format!("Payment received for order {order}")]
        };
        let wanted: Vec<String> = orders.iter().flat_map(of).collect();
        self.until("each order has its mails", async || {
            let subjects = self.subjects().await;
            wanted.iter().all(|subject| subjects.contains(subject))
        })
        .await;
        let subjects = self.subjects().await;
        for subject in &wanted {
            assert_eq!(subjects.iter().filter(|one| *one == subject).count(), 1, "{subject}");
        }
        assert_eq!(self.sales().await, units, "each sale is counted once");
    }

    /// How many events wait.
    pub async fn waiting(&self) -> u64 {
        self.app.settle(Duration::ZERO).await.unwrap()
    }

    pub async fn until_sent(&self) {
        assert_eq!(self.app.settle(DEADLINE).await.unwrap(), 0, "every event is sent");
    }

    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn stop(self) {
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!(ended.actors_alive, 0);
        let _ = std::fs::remove_dir_all(self.folder);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text")).to_owned()
}
