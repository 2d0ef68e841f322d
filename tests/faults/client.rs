//! A buyer who remembers every answer and repeats requests without an answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);

/// Requests to the process that is currently alive.
#[derive(Clone)]
pub struct Line {
    http: reqwest::Client,
    base: Arc<RwLock<String>>,
}

/// An answer with its body.
pub type Answer = (StatusCode, Value);

impl Line {
    pub fn new(base: &str) -> Self {
        let http = microbazaar::runtime::http_client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { http, base: Arc::new(RwLock::new(base.to_owned())) }
    }

    /// Sends later requests to `base`.
    pub fn redirect(&self, base: &str) {
        base.clone_into(&mut self.base.write());
    }

    /// Repeats until there is an answer: a dead process gives none, and 503 counts as none. Returns it with the
    /// number of attempts.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (Answer, u32) {
        let ends = Instant::now() + WITHIN;
        for tries in 1.. {
            let url = format!("{}{path}", self.base.read());
            let mut request = self.http.request(method.clone(), url).bearer_auth(token);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Ok(answer) = request.send().await {
                let status = answer.status();
                if let Ok(bytes) = answer.bytes().await
                    && status != StatusCode::SERVICE_UNAVAILABLE
                {
                    assert!(!status.is_server_error(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
                    return ((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)), tries);
                }
            }
            assert!(Instant::now() < ends, "{path} is answered in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!("the tries do not end before their deadline")
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, None, None).await.0
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (Answer, u32) {
        self.ask(Method::POST, path, token, None, Some(body)).await
    }

    /// Registers, or logs in if an unanswered attempt has registered; returns (id, token).
    pub async fn join(&self, email: &str, role: &str) -> (String, String) {
        let body = json!({ "email": email, "password": "correct horse", "role": role });
        let ((status, mut answer), _) = self.post("/api/auth/register", "", &body).await;
        if status == StatusCode::BAD_REQUEST {
            let login = json!({ "email": email, "password": "correct horse" });
            let ((status, logged_in), _) = self.post("/api/auth/login", "", &login).await;
            assert_eq!(status, StatusCode::OK, "{email}: {logged_in}");
            answer = logged_in;
        } else {
            assert_eq!(status, StatusCode::CREATED, "{email}: {answer}");
        }
        (text(&answer["user"]["_id"]), text(&answer["token"]))
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// What the answers said about an order.
#[derive(Debug, Default, Clone)]
pub struct KnownState {
    pub id: String,
    /// The payment was seen as captured.
    pub paid: bool,
    /// The order was seen as confirmed.
    pub confirmed: bool,
    /// A cancellation was requested.
    pub cancelling: bool,
    /// A cancellation was answered.
    pub cancelled: bool,
    /// Minor units that an admin refunded of a kept payment.
    pub given_back: i64,
}

/// A buyer with what they know.
pub struct Buyer {
    pub line: Line,
    pub email: String,
    pub token: String,
    pub orders: Vec<KnownState>,
    pub addresses: Vec<String>,
    /// The least and the most units of the last product in the cart.
    pub left: (u32, u32),
    random: StdRng,
    number: usize,
}

impl Buyer {
    pub async fn join(line: Line, number: usize, seed: u64) -> Self {
        let email = format!("buyer{number}@example.com");
        let (_, token) = line.join(&email, "user").await;
        let random = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        Self { line, email, token, orders: vec![], addresses: vec![], left: (0, 0), random, number }
    }

    pub async fn add_address(&mut self) {
        let body = json!({ "street": "1 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001" });
        let ((status, answer), _) = self.line.post("/api/auth/users/me/addresses", &self.token, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let last = answer["addresses"].as_array().unwrap().last().unwrap();
        self.addresses.push(text(&last["_id"]));
    }

    /// From the cart to a paid, cancelled or abandoned order.
    pub async fn shop(&mut self, products: &[String]) {
        let product = &products[self.random.random_range(0..products.len())];
        let quantity = self.random.random_range(1..=3);
        if !self.order(product, quantity).await {
            return;
        }
        match self.random.random_range(0..10) {
            0 => {}
            1 => self.cancel().await,
            2 | 3 => {
                self.pay().await;
                self.cancel().await;
            }
            _ => self.pay().await,
        }
    }

    /// Orders some of a product; `false` without enough stock.
    pub async fn order(&mut self, product: &str, quantity: u32) -> bool {
        let body = json!({ "productId": product, "quantity": quantity });
        let ((status, answer), _) = self.line.post("/api/cart/items", &self.token, &body).await;
        if status == StatusCode::CONFLICT {
            return false;
        }
        assert_eq!(status, StatusCode::OK, "{answer}");
        let key = format!("{}-{}", self.number, self.orders.len());
        let ((status, answer), _) =
            self.line.ask(Method::POST, "/api/orders", &self.token, Some(&key), Some(&json!({}))).await;
        if status == StatusCode::CONFLICT {
            let ((status, answer), _) = self.line.ask(Method::DELETE, "/api/cart", &self.token, None, None).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            return false;
        }
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        self.orders.push(KnownState { id: text(&answer["order"]["_id"]), ..KnownState::default() });
        true
    }

    /// Empties the cart.
    pub async fn clear(&self) {
        let ((status, answer), _) = self.line.ask(Method::DELETE, "/api/cart", &self.token, None, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// Opens a payment of the last order; returns the gateway's order, `None` when it is too late.
    pub async fn open(&self) -> Option<String> {
        let id = &self.orders.last().unwrap().id;
        let ((status, opened), _) =
            self.line.post(&format!("/api/payments/create/{id}"), &self.token, &json!({})).await;
        if status == StatusCode::CONFLICT {
            return None;
        }
        assert!(status.is_success(), "{opened}");
        Some(text(&opened["razorpayOrderId"]))
    }

    async fn pay(&mut self) {
        let Some(at_gateway) = self.open().await else { return };
        let path = format!("/sandbox/payments/{at_gateway}");
        let ((status, checkout), _) = self.line.post(&path, &self.token, &json!({ "outcome": "success" })).await;
        assert_eq!(status, StatusCode::OK, "{checkout}");
        self.verify(self.orders.len() - 1, &checkout).await;
    }

    /// Verifies the checkout's result for an order.
    pub async fn verify(&mut self, order: usize, checkout: &Value) {
        let ((status, verified), _) = self.line.post("/api/payments/verify", &self.token, checkout).await;
        assert_eq!(status, StatusCode::OK, "{verified}");
        let money = verified["payment"]["status"].as_str().unwrap();
        let confirmed = self.status_of(order).await == "CONFIRMED";
        let known = &mut self.orders[order];
        known.paid |= matches!(money, "SUCCESSFUL" | "REFUNDED");
        known.confirmed |= confirmed;
    }

    /// The status of an order.
    pub async fn status_of(&self, order: usize) -> String {
        let (status, answer) = self.line.get(&format!("/api/orders/{}", self.orders[order].id), &self.token).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        text(&answer["order"]["status"])
    }

    /// Cancels the last order.
    pub async fn cancel(&mut self) {
        let known = self.orders.last_mut().unwrap();
        known.cancelling = true;
        let path = format!("/api/orders/{}/cancel", known.id);
        let ((status, answer), _) = self.line.post(&path, &self.token, &json!({})).await;
        // 409: it was cancelled before, by an unanswered attempt or by its expiry.
        assert!(matches!(status, StatusCode::OK | StatusCode::CONFLICT), "{status} {answer}");
        let known = self.orders.last_mut().unwrap();
        known.cancelled = status == StatusCode::OK;
    }

    /// Leaves one unit of a product in the cart.
    pub async fn leave(&mut self, product: &str) {
        let body = json!({ "productId": product, "quantity": 1 });
        let ((status, answer), tries) = self.line.post("/api/cart/items", &self.token, &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        self.left = (self.left.0 + 1, self.left.1 + tries);
    }

    /// The orders as the program returns them.
    pub async fn orders_shown(&self) -> Vec<Value> {
        let mut shown = vec![];
        for page in 1.. {
            let (status, answer) = self.line.get(&format!("/api/orders/me?limit=100&page={page}"), &self.token).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            shown.extend(answer["orders"].as_array().unwrap().iter().cloned());
            if answer["pagination"]["totalPages"].as_u64().unwrap() <= page {
                break;
            }
        }
        shown
    }

    /// The payment of an order, if there is one.
    pub async fn payment_of(&self, order: &str) -> Option<Value> {
        let (status, answer) = self.line.get(&format!("/api/payments/order/{order}"), &self.token).await;
        (status == StatusCode::OK).then(|| answer["payment"].clone())
    }
}
