//! A seller or buyer who repeats requests that got no answer or a 503.

use serde_json::{Value, json};
use test_support::{Answer, Client, Person, text};

use super::fleet::Fleet;

#[derive(Clone)]
pub struct Shopper {
    pub client: Client,
    pub person: Person,
}

impl Shopper {
    pub async fn join(fleet: &Fleet, name: &str, role: &str) -> Self {
        Self { client: fleet.client.clone(), person: fleet.client.person(name, role).await }
    }

    pub fn token(&self) -> &str {
        &self.person.token
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).token(self.token()).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post(path).token(self.token()).json(body).send().await
    }

    pub async fn product(&self, stock: u32) -> String {
        self.client.product(&self.person, "A lamp", 19.99, stock).await
    }

    /// From an empty cart to an order of one unit, or of more when an answer was lost; `None` without stock.
    pub async fn order(&self, product: &str) -> Option<String> {
        self.client.delete("/api/cart").token(self.token()).send().await;
        if !self.fill_cart(product).await {
            return None;
        }
        self.check_out().await
    }

    /// Adds a unit to the cart; `false` without stock.
    pub async fn fill_cart(&self, product: &str) -> bool {
        let answer = self.client.add_to_cart(&self.person, product, 1).await;
        assert!([200, 409].contains(&answer.status), "{answer:?}");
        answer.status == 200
    }

    /// From the cart to an order; `None` without stock.
    pub async fn check_out(&self) -> Option<String> {
        let answer = self.client.place_order(&self.person, &json!({})).await;
        match answer.status {
            201 => Some(text(&answer.json()["order"]["_id"])),
            // An unanswered attempt has made it, or the last unit is sold.
            400 | 409 => None,
            _ => panic!("{answer:?}"),
        }
    }

    /// Pays an order; whether it could be paid.
    pub async fn pay(&self, order: &str) -> bool {
        let opened = self.client.open_payment(&self.person, &json!({"_id": order})).await;
        if opened.status == 409 {
            return false;
        }
        let at_gateway = text(&opened.done()["razorpayOrderId"]);
        let checkout = self.client.sandbox(&self.person, &at_gateway, "success").await.expect(200);
        self.client.verify(&self.person, &checkout).await.expect(200);
        true
    }

    pub async fn orders(&self) -> Vec<Value> {
        let mut orders = vec![];
        for page in 1.. {
            let answer = self.get(&format!("/api/orders/me?limit=100&page={page}")).await.expect(200);
            let found = answer["orders"].as_array().unwrap().clone();
            if found.is_empty() {
                break;
            }
            orders.extend(found);
        }
        orders
    }

    /// On hand and reserved.
    pub async fn stock(&self, product: &str) -> (i64, i64) {
        let (on_hand, reserved, _) = self.client.stock(product).await;
        (on_hand, reserved)
    }

    /// Units sold, as the dashboard counts.
    pub async fn sales(&self) -> u64 {
        self.client.sales(&self.person).await
    }

    /// How many of their mails have a subject with this prefix.
    pub async fn mails(&self, subject: &str) -> usize {
        let begins = |mail: &&Value| mail["subject"].as_str().is_some_and(|text| text.starts_with(subject));
        let mails = self.client.mailbox().await;
        mails.iter().filter(|mail| mail["to"] == self.person.email.as_str()).filter(begins).count()
    }
}
