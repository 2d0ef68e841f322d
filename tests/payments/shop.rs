//! A whole shop that is paid by Razorpay.

use std::time::Duration;

use microbazaar::{
    app::App,
    config::{Config, Overrides, Sources},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    gateways::Folder,
    standin::{Fault, Faults, Habits, Outcome, StandIn},
    until,
};

/// A shop within the test, and Razorpay beside it.
struct Shop {
    app: App,
    base: String,
    client: reqwest::Client,
    standin: StandIn,
    _folder: Folder,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl Shop {
    async fn open() -> Self {
        let (standin, folder) = (StandIn::start(), Folder::new());
        let data = folder.0.join("data").display().to_string();
        let mut sources = Sources::of_variables([
            ("JWT_SECRET", "a secret of thirty-two bytes, or so"),
            ("PORT", "0"),
            ("MICROBAZAAR_RATE_LIMIT__ENABLED", "false"),
            ("MICROBAZAAR_DATA_DIR", data.as_str()),
        ]);
        sources.variables.extend(standin.variables().into_iter().map(|(name, value)| (name.to_owned(), value)));
        let config = Config::load_from(&sources, &Overrides::default()).unwrap();
        let app = App::start(&config).await.unwrap();
        let base = format!("http://{}", app.address);
        let client = microbazaar::integrations::http_client::builder().no_proxy().build().unwrap();
        Self { app, base, client, standin, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        self.ask(Method::GET, path, token, None).await.1
    }

    async fn join(&self, name: &str, role: &str) -> String {
        let new = json!({"email": format!("{name}@shop.example"), "password": "correct horse", "role": role});
        text(&self.post("/api/auth/register", "", &new).await.1["token"])
    }

    /// A buyer's order of two things that cost 10; the buyer's token and the order's id.
    async fn ordered(&self) -> (String, String) {
        let (seller, buyer) = (self.join("mira", "seller").await, self.join("asha", "user").await);
        let new = json!({"title": "Brass lamp", "priceAmount": 10, "stock": 100});
        let product = text(&self.post("/api/products", &seller, &new).await.1["product"]["_id"]);
        self.post("/api/cart/items", &buyer, &json!({"productId": product, "quantity": 2})).await;
        let address = json!({"street": "1 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
        let (status, placed) = self.post("/api/orders", &buyer, &json!({ "shippingAddress": address })).await;
        assert_eq!(status, StatusCode::CREATED, "{placed}");
        (buyer, text(&placed["order"]["_id"]))
    }

    async fn order_status(&self, buyer: &str, order: &str) -> String {
        text(&self.get(&format!("/api/orders/{order}"), buyer).await["order"]["status"])
    }

    async fn close(self) {
        let ended = self.app.shutdown().await.unwrap();
        assert_eq!(ended.actors_alive, 0);
    }
}

#[actix_rt::test]
async fn an_order_is_paid_by_razorpay() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let create = format!("/api/payments/create/{order}");
    let (status, opened) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    let at_gateway = text(&opened["razorpayOrderId"]);
    assert_eq!(shop.standin.orders_for(&order), std::slice::from_ref(&at_gateway));
    assert_eq!(opened["keyId"], crate::standin::KEY_ID);
    assert_eq!(opened["amount"], shop.standin.truth()[&at_gateway].amount);
    assert_eq!(shop.post(&create, &buyer, &json!({})).await.0, StatusCode::OK, "the same again");
    let (status, _) =
        shop.post(&format!("/sandbox/payments/{at_gateway}"), &buyer, &json!({"outcome": "success"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there is no sandbox");

    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let mut forged = checkout.json();
    forged["razorpay_payment_id"] = json!("pay_29QQoUBi66xm2f");
    assert_eq!(shop.post("/api/payments/verify", &buyer, &forged).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(shop.order_status(&buyer, &order).await, "PENDING");
    for _ in 0..2 {
        let (status, verified) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
        assert_eq!((status, &verified["payment"]["status"]), (StatusCode::OK, &json!("SUCCESSFUL")), "{verified}");
    }
    assert_eq!(shop.order_status(&buyer, &order).await, "CONFIRMED");
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.captured, truth.captures, truth.refunded), (truth.amount, 1, 0));
    shop.close().await;
}

#[actix_rt::test]
async fn webhooks_alone_confirm_an_order_and_a_cancelled_one_is_paid_back() {
    let shop = Shop::open().await;
    let _post =
        shop.standin.post_to(&format!("{}/api/payments/webhook", shop.base), Habits { lost: 0, ..Habits::bad(5) });
    let (buyer, order) = shop.ordered().await;
    let (_, opened) = shop.post(&format!("/api/payments/create/{order}"), &buyer, &json!({})).await;
    let at_gateway = text(&opened["razorpayOrderId"]);
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    until("the order is confirmed", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.standin.next("POST /v1/payments", Fault::CutAfter);
    shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    until("the money is back", async || {
        let truth = &shop.standin.truth()[&at_gateway];
        truth.refunded == truth.captured && truth.captured > 0
    })
    .await;
    until("the payment says so", async || {
        shop.get(&format!("/api/payments/order/{order}"), &buyer).await["payment"]["status"] == "REFUNDED"
    })
    .await;
    assert_eq!(shop.standin.truth()[&at_gateway].refunds, 1);
    shop.close().await;
}

#[actix_rt::test]
async fn a_gateway_that_is_away_is_named_and_found_back() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let ready = shop.get("/readyz", "").await;
    assert_eq!(ready["status"], "ready", "{ready}");
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    let create = format!("/api/payments/create/{order}");
    until("it is named", async || {
        let (status, told) = shop.post(&create, &buyer, &json!({})).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{told}");
        let ready = shop.get("/readyz", "").await;
        ready["status"] == "degraded" && ready["away"] == json!(["razorpay"])
    })
    .await;
    shop.standin.set_faults(Faults::none());
    until("it is found back", async || shop.get("/readyz", "").await["status"] == "ready").await;
    let (status, told) = shop.post(&create, &buyer, &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    let metrics = shop.client.get(format!("{}/metrics", shop.base)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("gateway_calls_total{call=\"create_order\",outcome=\"done\"}"), "{metrics}");
    assert!(metrics.contains("gateway_up"), "{metrics}");
    tokio::time::timeout(Duration::from_secs(30), shop.close()).await.unwrap();
}
