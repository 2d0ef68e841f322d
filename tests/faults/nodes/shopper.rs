//! A seller or buyer who repeats requests that got no answer or a 503.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fleet::{Answer, DEADLINE, Fleet};

#[derive(Clone)]
pub struct Person {
    pub fleet: Arc<Fleet>,
    pub token: String,
    pub email: String,
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

impl Person {
    pub async fn join(fleet: &Arc<Fleet>, name: &str, role: &str) -> Self {
        let nobody = Self { fleet: Arc::clone(fleet), token: String::new(), email: format!("{name}@example.com") };
        let body = json!({"email": nobody.email, "password": "correct horse", "role": role});
        let answer = nobody.post("/api/auth/register", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        Self { token: text(&answer.body["token"]), ..nobody }
    }

    /// Repeats until there is an answer, after the delay that a 503 asks for.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let ends = Instant::now() + DEADLINE;
        loop {
            if let Some(answer) = self.fleet.ask(method.clone(), path, &self.token, body).await {
                if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                    assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
                    return answer;
                }
                assert!(answer.retry_after.is_some(), "{path}: {answer:?}");
                if answer.body["code"] == "outcome_unknown" {
                    self.fleet.unknown.fetch_add(1, Ordering::Relaxed);
                }
            }
            assert!(Instant::now() < ends, "{path} is answered in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn product(&self, stock: u32) -> String {
        let body = json!({"title": "A lamp", "priceAmount": 19.99, "stock": stock});
        let answer = self.post("/api/products", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        text(&answer.body["product"]["_id"])
    }

    /// From an empty cart to an order of one unit, or of more when an answer was lost; `None` without stock.
    pub async fn order(&self, product: &str) -> Option<String> {
        self.ask(Method::DELETE, "/api/cart", None).await;
        if !self.fill_cart(product).await {
            return None;
        }
        self.check_out().await
    }

    /// Adds a unit to the cart; `false` without stock.
    pub async fn fill_cart(&self, product: &str) -> bool {
        let answer = self.post("/api/cart/items", &json!({"productId": product, "quantity": 1})).await;
        assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&answer.status), "{answer:?}");
        answer.status == StatusCode::OK
    }

    /// From the cart to an order; `None` without stock.
    pub async fn check_out(&self) -> Option<String> {
        let answer = self.post("/api/orders", &json!({})).await;
        match answer.status {
            StatusCode::CREATED => Some(text(&answer.body["order"]["_id"])),
            // An unanswered attempt has made it, or the last unit is sold.
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT => None,
            _ => panic!("{answer:?}"),
        }
    }

    /// Pays an order; whether it could be paid.
    pub async fn pay(&self, order: &str) -> bool {
        let opened = self.post(&format!("/api/payments/create/{order}"), &json!({})).await;
        if opened.status == StatusCode::CONFLICT {
            return false;
        }
        assert!(opened.status.is_success(), "{opened:?}");
        let path = format!("/sandbox/payments/{}", text(&opened.body["razorpayOrderId"]));
        let checkout = self.post(&path, &json!({"outcome": "success"})).await;
        assert_eq!(checkout.status, StatusCode::OK, "{checkout:?}");
        let verified = self.post("/api/payments/verify", &checkout.body).await;
        assert_eq!(verified.status, StatusCode::OK, "{verified:?}");
        true
    }

    pub async fn orders(&self) -> Vec<Value> {
        let mut orders = vec![];
        for page in 1.. {
            let answer = self.get(&format!("/api/orders/me?limit=100&page={page}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            let found = answer.body["orders"].as_array().unwrap().clone();
            if found.is_empty() {
                break;
            }
            orders.extend(found);
        }
        orders
    }

    /// On hand and reserved.
    pub async fn stock(&self, product: &str) -> (u64, u64) {
        let level = self.get(&format!("/api/inventory/{product}")).await;
        assert_eq!(level.status, StatusCode::OK, "{level:?}");
        (level.body["onHand"].as_u64().unwrap(), level.body["reserved"].as_u64().unwrap())
    }

    /// Units sold, as the dashboard counts.
    pub async fn sales(&self) -> u64 {
        self.get("/api/seller/dashboard/metrics").await.body["sales"].as_u64().unwrap_or_default()
    }

    /// The mails to a user whose subject has this prefix.
    pub async fn mails(&self, to: &str, subject: &str) -> usize {
        let mails = self.get("/dev/mailbox").await.body;
        let begins = |mail: &&Value| mail["subject"].as_str().is_some_and(|text| text.starts_with(subject));
        mails.as_array().unwrap().iter().filter(|mail| mail["to"] == to).filter(begins).count()
    }
}
