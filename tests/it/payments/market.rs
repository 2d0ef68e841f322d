//! A whole shop within the test, with a simulated Razorpay.

use std::ops::Deref;

use serde_json::{Value, json};
use test_support::{Settings, done, razorpay::StandIn, text};

/// A shop within the test, and the simulated Razorpay.
pub struct Shop {
    shop: test_support::Shop,
    pub standin: StandIn,
    /// The token of an admin.
    pub admin: String,
}

impl Deref for Shop {
    type Target = test_support::Shop;

    fn deref(&self) -> &Self::Target {
        &self.shop
    }
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// A shop with these additional settings.
    pub async fn open_with(settings: &[(&str, &str)]) -> Self {
        let standin = StandIn::start();
        let settings = Settings::new().razorpay(&standin).set_all(settings.iter().copied());
        let shop = test_support::Shop::start(settings).await;
        let admin = shop.admin().await.token;
        Self { shop, standin, admin }
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        self.shop.post(path).token(token).json(body).send().await.parts()
    }

    pub async fn get(&self, path: &str, token: &str) -> Value {
        self.shop.get(path).token(token).send().await.json()
    }

    /// An order of two units at 10; returns the buyer's token and the order's id.
    pub async fn ordered(&self) -> (String, String) {
        self.ordered_as("asha").await
    }

    /// The same for a buyer with this name.
    pub async fn ordered_as(&self, name: &str) -> (String, String) {
        let (seller, buyer) = (self.seller(&format!("mira{name}")).await, self.user(name).await);
        let product = self.product(&seller, "Brass lamp", 10.0, 100).await;
        let order = self.order(&buyer, &product, 2).await;
        (buyer.token, text(&order["_id"]))
    }

    /// Opens a payment; returns the gateway's order.
    pub async fn opened(&self, buyer: &str, order: &str) -> String {
        text(&self.do_as(buyer, &format!("/api/payments/create/{order}"), &json!({})).await["razorpayOrderId"])
    }

    pub async fn payment(&self, buyer: &str, order: &str) -> Value {
        self.get(&format!("/api/payments/order/{order}"), buyer).await["payment"].clone()
    }

    /// Checks that the ledger, the orders and the refunds agree, and that the sums are these.
    pub async fn check_ledger_sums(&self, sums: &str) {
        let (well, said) = self.command(&["ledger", "check"]).await;
        assert!(well && said.contains(sums), "{said}");
    }

    /// Runs a command beside the shop: whether it succeeded, and its output.
    pub async fn command(&self, arguments: &[&str]) -> (bool, String) {
        let (code, said, complaint) = done(self.settings.command(arguments)).await;
        (code == Some(0), said + &complaint)
    }

    pub async fn order_status(&self, buyer: &str, order: &str) -> String {
        text(&self.get(&format!("/api/orders/{order}"), buyer).await["order"]["status"])
    }

    pub async fn stop(self) {
        self.shop.stop().await;
    }
}
