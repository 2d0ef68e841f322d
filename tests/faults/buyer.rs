//! A buyer who remembers every answer and repeats whatever got none.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use test_support::{Answer, Client, Person, text};

/// What was answered about an order.
#[derive(Debug, Default, Clone)]
pub struct Known {
    pub id: String,
    /// The payment was seen with money.
    pub paid: bool,
    /// The order was seen confirmed.
    pub confirmed: bool,
    /// A cancellation was asked for.
    pub cancelling: bool,
    /// A cancellation was answered.
    pub cancelled: bool,
    /// Minor units that an admin gave back of a kept payment.
    pub given_back: i64,
}

/// A buyer and what they know.
pub struct Buyer {
    pub client: Client,
    pub person: Person,
    pub orders: Vec<Known>,
    pub addresses: Vec<String>,
    /// Units of the last product that surely, and at most, are in their cart.
    pub left: (u32, u32),
    random: StdRng,
    number: usize,
}

impl Buyer {
    pub async fn join(client: Client, number: usize, seed: u64) -> Self {
        let person = client.user(&format!("buyer{number}")).await;
        let random = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        Self { client, person, orders: vec![], addresses: vec![], left: (0, 0), random, number }
    }

    async fn get(&self, path: &str) -> Answer {
        self.client.get(path).token(&self.person.token).send().await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post(path).token(&self.person.token).json(body).send().await
    }

    pub async fn add_address(&mut self) {
        let body = json!({ "street": "1 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001" });
        let answer = self.post("/api/auth/users/me/addresses", &body).await.expect(201);
        let last = answer["addresses"].as_array().unwrap().last().unwrap();
        self.addresses.push(text(&last["_id"]));
    }

    /// From the cart to a paid, cancelled or forgotten order.
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

    /// Orders some of a product; `false` when there is not enough of it.
    pub async fn order(&mut self, product: &str, quantity: u32) -> bool {
        let answer = self.client.add_to_cart(&self.person, product, quantity).await;
        if answer.status == 409 {
            return false;
        }
        answer.expect(200);
        let key = format!("{}-{}", self.number, self.orders.len());
        let placing = self.client.post("/api/orders").token(&self.person.token).header("idempotency-key", &key);
        let answer = placing.json(&json!({})).send().await;
        if answer.status == 409 {
            self.clear().await;
            return false;
        }
        let answer = answer.expect(201);
        self.orders.push(Known { id: text(&answer["order"]["_id"]), ..Known::default() });
        true
    }

    /// Empties the cart.
    pub async fn clear(&self) {
        self.client.delete("/api/cart").token(&self.person.token).send().await.expect(200);
    }

    /// Opens a payment of their last order; the gateway's order. `None`: it is too late.
    pub async fn open(&self) -> Option<String> {
        let id = &self.orders.last().unwrap().id;
        let opened = self.post(&format!("/api/payments/create/{id}"), &json!({})).await;
        (opened.status != 409).then(|| text(&opened.done()["razorpayOrderId"]))
    }

    async fn pay(&mut self) {
        let Some(at_gateway) = self.open().await else { return };
        let checkout = self.client.sandbox(&self.person, &at_gateway, "success").await.expect(200);
        self.verify(self.orders.len() - 1, &checkout).await;
    }

    /// Hands in what the checkout gave for one of their orders.
    pub async fn verify(&mut self, order: usize, checkout: &Value) {
        let verified = self.client.verify(&self.person, checkout).await.expect(200);
        let money = verified["payment"]["status"].as_str().unwrap();
        let confirmed = self.status_of(order).await == "CONFIRMED";
        let known = &mut self.orders[order];
        known.paid |= matches!(money, "SUCCESSFUL" | "REFUNDED");
        known.confirmed |= confirmed;
    }

    /// Where one of their orders stands.
    pub async fn status_of(&self, order: usize) -> String {
        text(&self.get(&format!("/api/orders/{}", self.orders[order].id)).await.expect(200)["order"]["status"])
    }

    /// Cancels their last order.
    pub async fn cancel(&mut self) {
        let known = self.orders.last_mut().unwrap();
        known.cancelling = true;
        let path = format!("/api/orders/{}/cancel", known.id);
        let answer = self.post(&path, &json!({})).await;
        // 409: it was cancelled before, by an unanswered try or by the window's end.
        assert!(matches!(answer.status, 200 | 409), "{answer:?}");
        self.orders.last_mut().unwrap().cancelled = answer.status == 200;
    }

    /// Leaves one unit of a product in the cart.
    pub async fn leave(&mut self, product: &str) {
        let answer = self.client.add_to_cart(&self.person, product, 1).await;
        answer.expect(200);
        self.left = (self.left.0 + 1, self.left.1 + answer.tries);
    }

    /// Their orders as the program shows them.
    pub async fn orders_shown(&self) -> Vec<Value> {
        let mut shown = vec![];
        for page in 1.. {
            let answer = self.get(&format!("/api/orders/me?limit=100&page={page}")).await.expect(200);
            shown.extend(answer["orders"].as_array().unwrap().iter().cloned());
            if answer["pagination"]["totalPages"].as_u64().unwrap() <= page {
                break;
            }
        }
        shown
    }

    /// The payment of one of their orders, if there is one.
    pub async fn payment_of(&self, order: &str) -> Option<Value> {
        let answer = self.get(&format!("/api/payments/order/{order}")).await;
        (answer.status == 200).then(|| answer.json()["payment"].clone())
    }
}
