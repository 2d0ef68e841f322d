//! Nodes of one shop.

use std::{path::PathBuf, time::Duration};

use microbazaar::{
    actors::admin::calls::SetUserBlocked,
    app::App,
    config::{Config, Overrides, Sources},
    domain::{
        ids::{ProductId, UserId},
        inventory::StockLevel,
    },
    store::{
        Stores,
        mongo::{MongoOptions, MongoStore},
    },
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::replicas::DEADLINE;

struct Node {
    app: Option<App>,
    base: String,
    folder: PathBuf,
}

/// Running nodes, and the store beside them.
pub struct Nodes {
    nodes: Vec<Node>,
    client: reqwest::Client,
    store: MongoStore,
    stores: Stores,
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text")).to_owned()
}

pub fn address() -> Value {
    json!({"street": "14 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"})
}

impl Nodes {
    /// This many nodes, with a payment window of `window` seconds.
    pub async fn start(count: usize, window: u64) -> Option<Self> {
        Self::start_with(count, window, |_| {}).await
    }

    /// With other settings than usual.
    pub async fn start_with(count: usize, window: u64, change: impl Fn(&mut Config)) -> Option<Self> {
        let Ok(uri) = std::env::var("TEST_MONGO_URI") else {
            eprintln!("left out: TEST_MONGO_URI names no server");
            return None;
        };
        let prefix = format!("nodes_{}_", UserId::generate());
        let mut nodes = vec![];
        for _ in 0..count {
            let folder = std::env::temp_dir().join(format!("microbazaar-node-{}", UserId::generate()));
            let mut config = Config::load_from(&Sources::of_variables([]), &Overrides::default()).unwrap();
            config.data_dir = folder.clone();
            config.jwt_secret = Some(SecretString::from("a secret of thirty-two bytes, or so"));
            config.http.port = 0;
            config.rate_limit.enabled = false;
            config.order.payment_window = Duration::from_secs(window);
            config.mongo.uri = Some(SecretString::from(uri.clone()));
            config.mongo.database_prefix = prefix.clone();
            change(&mut config);
            let app = App::start(&config).await.unwrap();
            nodes.push(Node { base: format!("http://{}", app.address), app: Some(app), folder });
        }
        let client = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        let store = MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap();
        let stores = store.stores();
        let nodes = Self { nodes, client, store, stores };
        for node in 0..count {
            nodes.until("a node is ready", async || nodes.get(node, "/readyz", "").await.0 == 200).await;
        }
        Some(nodes)
    }

    pub async fn join(&self, node: usize, role: &str) -> String {
        let email = format!("{}@example.com", UserId::generate());
        let new = json!({"email": email, "password": "correct horse", "role": role});
        text(&self.post(node, "/api/auth/register", "", &new).await["token"])
    }

    pub async fn product(&self, node: usize, seller: &str, stock: u32) -> String {
        let new = json!({"title": "Lamp", "priceAmount": 10, "stock": stock});
        text(&self.post(node, "/api/products", seller, &new).await["product"]["_id"])
    }

    pub async fn ask(&self, node: usize, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.nodes[node].base));
        if method != Method::GET {
            request = request.json(body);
        }
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = request.header("accept", "application/json").send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn send(&self, node: usize, method: Method, path: &str, token: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(node, method, path, token, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub async fn post(&self, node: usize, path: &str, token: &str, body: &Value) -> Value {
        self.send(node, Method::POST, path, token, body).await
    }

    pub async fn get(&self, node: usize, path: &str, token: &str) -> (u16, Value) {
        self.ask(node, Method::GET, path, token, &Value::Null).await
    }

    /// Blocks a user, as an admin does on that node.
    pub async fn block(&self, node: usize, user: &str) {
        let app = self.nodes[node].app.as_ref().unwrap();
        let block = SetUserBlocked { user: user.parse().unwrap(), blocked: true };
        app.services.calls.ask(block).await.unwrap();
    }

    pub async fn stock(&self, product: &str) -> StockLevel {
        let product: ProductId = product.parse().unwrap();
        self.stores.stock.get(product).await.unwrap().unwrap()
    }

    pub async fn mails(&self, node: usize, subject: &str) -> usize {
        let (_, mails) = self.get(node, "/dev/mailbox", "").await;
        let begins = |mail: &&Value| mail["subject"].as_str().is_some_and(|is| is.starts_with(subject));
        mails.as_array().unwrap().iter().filter(begins).count()
    }

    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends one node.
    pub async fn end(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some(app) = node.app.take() {
            assert_eq!(app.shutdown().await.unwrap().actors_alive, 0);
        }
        let _gone = std::fs::remove_dir_all(&node.folder);
    }

    pub async fn stop(mut self) {
        for node in 0..self.nodes.len() {
            self.end(node).await;
        }
        self.store.drop_databases().await.unwrap();
    }
}
