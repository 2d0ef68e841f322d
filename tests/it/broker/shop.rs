//! A shop whose events are transported over the broker.

use std::{ops::Deref, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use microbazaar::{
    config::Consume,
    domain::{
        ids::UserId,
        user::{Role, User},
    },
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use test_support::{Client, PASSWORD, Settings, Shop as Any, WEBHOOK_SECRET, eventually, text};

/// A running shop with a seller, a buyer and a product.
pub struct Shop {
    shop: Any,
    pub seller: String,
    pub buyer: String,
    pub product: String,
}

impl Deref for Shop {
    type Target = Any;

    fn deref(&self) -> &Any {
        &self.shop
    }
}

/// The token of somebody new, who gives no name.
async fn join(shop: &Client, role: &str) -> String {
    let new = json!({"email": format!("{}@example.com", UserId::generate()), "password": PASSWORD, "role": role});
    text(&shop.register(&new).await.expect(201)["token"])
}

impl Shop {
    /// Starts a shop that reads all queues, or these.
    pub async fn start(url: &str, consume: Option<Vec<String>>) -> Self {
        let settings = Settings::new().rabbit(url).set("MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE", "true");
        let mut config = Any::usual(&settings);
        config.rabbit.consume = consume.map_or(Consume::All, Consume::Queues);
        let shop = Any::over(config, settings).await;
        let (seller, buyer) = (join(&shop, "seller").await, join(&shop, "user").await);
        let new = json!({"title": "Lamp", "priceAmount": 10, "stock": 10_000});
        let product = text(&shop.do_as(&seller, "/api/products", &new).await["product"]["_id"]);
        Self { shop, seller, buyer, product }
    }

    /// Buys two units, pays, and returns the order's id.
    pub async fn purchase(&self) -> String {
        let buy = async |path: &str, body: Value| self.do_as(&self.buyer, path, &body).await;
        buy("/api/cart/items", json!({"productId": self.product, "quantity": 2})).await;
        let order = text(&buy("/api/orders", json!({})).await["order"]["_id"]);
        let opened = buy(&format!("/api/payments/create/{order}"), json!({})).await;
        let sandbox = format!("/sandbox/payments/{}", text(&opened["razorpayOrderId"]));
        let paid = buy(&sandbox, json!({"outcome": "success"})).await;
        buy("/api/payments/verify", paid).await;
        order
    }

    /// Sends the gateway's report of a dispute about a payment; there is one admin, who gets the mail.
    pub async fn report_dispute(&self, paid: &Value) {
        let accounts = self.stores().accounts;
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
        let report = self.post("/api/payments/webhook").header("x-razorpay-signature", &signature);
        report.raw("application/json", body).send().await.expect(200);
    }

    /// Registers a webhook of the seller with this URL.
    pub async fn register_webhook(&self, url: &str) {
        self.do_as(&self.seller, "/api/webhooks", &json!({"url": url, "events": ["order.*"]})).await;
    }

    pub async fn order_status(&self, order: &str) -> String {
        text(&self.read(&self.buyer, &format!("/api/orders/{order}")).await["order"]["status"])
    }

    /// Units sold, as on the seller's dashboard.
    pub async fn sales(&self) -> u64 {
        self.of_seller("/api/seller/dashboard/metrics").await["sales"].as_u64().unwrap_or(0)
    }

    /// Calls the API as the bearer of `token`.
    pub async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> Value {
        self.call(method, path).token(token).json(body).send().await.done()
    }

    /// A response of the API for the seller.
    pub async fn of_seller(&self, path: &str) -> Value {
        self.read(&self.seller, path).await
    }

    pub async fn seller_id(&self) -> String {
        text(&self.of_seller("/api/auth/me").await["user"]["_id"])
    }

    pub async fn mails_to(&self, address: &str) -> usize {
        self.mailbox().await.iter().filter(|mail| mail["to"] == address).count()
    }

    /// Waits until it is ready, or degraded.
    pub async fn until_it_is(&self, status: &str) {
        eventually(&format!("readyz says {status}"), async || {
            let (code, view) = self.readyz().await;
            code == 200 && view["status"] == status
        })
        .await;
    }

    async fn subjects(&self) -> Vec<String> {
        let mails = self.stores().mailbox.list(100_000).await.unwrap();
        mails.into_iter().map(|mail| mail.subject).collect()
    }

    /// Waits until the dashboard shows exactly these orders, and each has its mails.
    pub async fn until_shown(&self, orders: &[String]) {
        let units = 2 * u64::try_from(orders.len()).unwrap();
        eventually("the dashboard counts every sale", async || self.sales().await >= units).await;
        let of = |order: &String| {
            [format!("Payment initiated for order {order}"), format!("Payment received for order {order}")]
        };
        let wanted: Vec<String> = orders.iter().flat_map(of).collect();
        eventually("each order has its mails", async || {
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

    pub async fn stop(self) {
        self.shop.stop().await;
    }
}
