//! A running shop with data, on its own thread.
//!
//! **Invariant:** no hostile caller owns `keeps`; it must read the same after any attack.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use microbazaar::{
    actors::accounts::calls::CreateAdmin,
    app::{App, ShutdownReport},
    config::{Config, Overrides, Sources},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::wire::{Answer, Connection, Request};

/// The secret of every shop's tokens.
pub const SECRET: &str = "a secret for the tests, of more than 32 bytes";
const PASSWORD: &str = "correct horse battery";

/// The ids of the shop's data, as hexadecimal digits.
#[derive(Debug, Clone, Default)]
pub struct Things {
    pub user: String,
    pub seller: String,
    pub product: String,
    pub image: String,
    pub order: String,
    pub payment: String,
    pub gateway_order: String,
    pub address: String,
    pub webhook: String,
    pub delivery: String,
    pub conversation: String,
    pub session: String,
}

/// A running shop.
pub struct Shop {
    pub address: SocketAddr,
    /// The hostile callers' own data.
    pub own: Things,
    /// Other users' data.
    pub keeps: Things,
    pub admin: String,
    before: Vec<(String, Value)>,
    keeper_token: String,
    end: Option<(oneshot::Sender<()>, JoinHandle<ShutdownReport>)>,
    folder: PathBuf,
}

impl Shop {
    /// A shop without rate limits.
    pub async fn open() -> Self {
        let mut shop =
            Self::bare(&[("MICROBAZAAR_RATE_LIMIT__ENABLED", "false"), ("MICROBAZAAR_CART__IDLE", "1s")]).await;
        let login = json!({"email": "admin@shop.example", "password": PASSWORD});
        shop.admin = shop.post("/api/auth/login", None, &login).await["user"]["_id"].as_str().unwrap().to_owned();
        let (keeps, keeper, _) = shop.stock("keeper").await;
        let (own, _, _) = shop.stock("own").await;
        (shop.keeps, shop.own, shop.keeper_token) = (keeps, own, keeper);
        shop.before = shop.look().await;
        shop
    }

    /// An empty shop with these variables set.
    pub async fn bare(variables: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("microbazaar-hostile-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut sources = Sources::of_variables([
            ("MICROBAZAAR_HTTP__PORT", "0"),
            ("MICROBAZAAR_JWT_SECRET", SECRET),
            ("MICROBAZAAR_DATA_DIR", folder.to_str().unwrap()),
        ]);
        sources.variables.extend(variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let config = Config::load_from(&sources, &Overrides::default()).unwrap();
        let (tell, output) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let app = App::start(&config).await.unwrap();
                let (email, password) = ("admin@shop.example".to_owned(), SecretString::from(PASSWORD));
                app.services.calls.ask(CreateAdmin { email, username: None, password }).await.unwrap();
                tell.send(app.address).unwrap();
                // A dropped shop ends as after SIGTERM.
                let _ = ended.await;
                app.shutdown().await.unwrap()
            })
        });
        let address = output.recv_timeout(Duration::from_secs(30)).unwrap();
        let (own, keeps, before) = (Things::default(), Things::default(), vec![]);
        let (admin, keeper_token) = (String::new(), String::new());
        Self { address, own, keeps, admin, before, keeper_token, end: Some((end, thread)), folder }
    }

    /// A seller with a product, and a buyer with a paid order, an address and a cart.
    async fn stock(&self, name: &str) -> (Things, String, String) {
        let register =
            |role: &str| json!({"email": format!("{name}-{role}@shop.example"), "password": PASSWORD, "role": role});
        let seller = self.post("/api/auth/register", None, &register("seller")).await;
        let user = self.post("/api/auth/register", None, &register("user")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (selling, buying) = (text(&seller["token"]), text(&user["token"]));
        let product = json!({"title": "Desk lamp", "priceAmount": 499.5, "stock": 1_000_000, "category": "Home"});
        let product = text(&self.post("/api/products", Some(&selling), &product).await["product"]["_id"]);
        let form = super::forms::form(&[super::forms::file("images", "a.png", &super::forms::png())]);
        let form = form("POST", &format!("/api/products/{product}/images")).bearer(Some(&selling));
        let pictured = self.ask(&form).await.json();
        let line = json!({"street": "12 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
        let kept = self.post("/api/auth/users/me/addresses", Some(&buying), &line).await;
        let item = json!({"productId": product, "quantity": 2});
        self.post("/api/cart/items", Some(&buying), &item).await;
        let order = text(&self.post("/api/orders", Some(&buying), &json!({})).await["order"]["_id"]);
        let opened = self.post(&format!("/api/payments/create/{order}"), Some(&buying), &json!({})).await;
        self.post("/api/cart/items", Some(&buying), &item).await;
        // There is no webhook and no conversation, and a session that is used is not ended: an unused id.
        let payment = text(&opened["payment"]["_id"]);
        let things = Things {
            webhook: payment.clone(),
            delivery: payment.clone(),
            conversation: payment.clone(),
            session: payment.clone(),
            user: text(&user["user"]["_id"]),
            seller: text(&seller["user"]["_id"]),
            image: text(&pictured["images"][0]["id"]),
            address: text(&kept["addresses"][0]["_id"]),
            payment,
            gateway_order: text(&opened["razorpayOrderId"]),
            product,
            order,
        };
        (things, buying, selling)
    }

    /// The response to one request, on a new connection.
    pub async fn ask(&self, request: &Request) -> Answer {
        Connection::new(self.address).exchange(request).await.unwrap()
    }

    /// The response of a POST that must succeed.
    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Value {
        let answer = self.ask(&Request::new("POST", path).bearer(token).json(body.to_string())).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The response of a GET that must succeed.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Value {
        let answer = self.ask(&Request::new("GET", path).bearer(token)).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The data of `keeps`, as its owner sees it.
    async fn look(&self) -> Vec<(String, Value)> {
        let Things { product, order, .. } = &self.keeps;
        let paths = [
            format!("/api/products/{product}"),
            format!("/api/inventory/{product}"),
            format!("/api/orders/{order}"),
            format!("/api/payments/order/{order}"),
            "/api/cart".to_owned(),
            "/api/orders/me".to_owned(),
            "/api/auth/me".to_owned(),
            "/api/auth/users/me/addresses".to_owned(),
        ];
        let mut seen = vec![];
        for path in paths {
            let mut body = self.get(&path, Some(&self.keeper_token)).await;
            // The order's saga increments its version.
            if let Some(order) = body.get_mut("order").and_then(Value::as_object_mut) {
                order.remove("__v");
            }
            for order in body.get_mut("orders").and_then(Value::as_array_mut).into_iter().flatten() {
                order.as_object_mut().unwrap().remove("__v");
            }
            seen.push((path, body));
        }
        seen
    }

    /// The shop is alive and ready, has restarted no actor and has its data.
    pub async fn is_well(&self) {
        assert_eq!(self.get("/healthz", None).await["status"], "ok");
        let ready = self.get("/readyz", None).await;
        assert_eq!(ready["status"], "ready", "{ready}");
        for kind in ready["actors"].as_array().unwrap() {
            assert_eq!(kind["restarts"], 0, "{kind}");
        }
        if !self.before.is_empty() {
            for (before, now) in self.before.iter().zip(self.look().await) {
                assert_eq!(*before, now, "\nbefore: {}\nnow: {}", before.1, now.1);
            }
        }
    }

    /// Ends the shop; nothing may be running or unsent.
    pub async fn close(mut self) {
        let (end, thread) = self.end.take().unwrap();
        end.send(()).unwrap();
        let ended = tokio::task::spawn_blocking(move || thread.join()).await.unwrap().unwrap();
        assert_eq!(ended, ShutdownReport { actors_alive: 0, events_waiting: 0 });
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // The folder is no longer needed, not even after a failed test.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
