//! Nodes of one shop.

use microbazaar::{
    domain::{
        ids::{ProductId, UserId},
        inventory::StockLevel,
    },
    store::mongo::{MongoOptions, MongoStore},
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;
use test_support::{Person, Settings, Shop, eventually, servers};

/// Running nodes, and the store beside them.
pub struct Nodes {
    nodes: Vec<Option<Shop>>,
    store: MongoStore,
}

impl Nodes {
    /// Two, with a payment window of so many seconds.
    pub async fn start(window: u64) -> Option<Self> {
        Self::start_with(window, |settings| settings).await
    }

    /// With other settings than usual.
    pub async fn start_with(window: u64, change: impl Fn(Settings) -> Settings) -> Option<Self> {
        let uri = servers::mongo()?;
        let prefix = format!("node_{}_", UserId::generate());
        let mut nodes = vec![];
        for _ in 0..2 {
            let settings = Settings::new().mongo(&uri, &prefix);
            let window = settings.set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", &format!("{window}s"));
            nodes.push(Some(Shop::start(change(window)).await));
        }
        let store = MongoStore::open(MongoOptions::new(SecretString::from(uri), prefix)).await.unwrap();
        let nodes = Self { nodes, store };
        for node in 0..2 {
            eventually("a node is ready", async || nodes.at(node).readyz().await.0 == 200).await;
        }
        Some(nodes)
    }

    /// A node that runs.
    pub fn at(&self, node: usize) -> &Shop {
        self.nodes[node].as_ref().unwrap()
    }

    /// The token of somebody new.
    pub async fn join(&self, node: usize, role: &str) -> String {
        self.at(node).person(&UserId::generate().to_string(), role).await.token
    }

    pub async fn product(&self, node: usize, seller: &str, stock: u32) -> String {
        self.at(node).product(&Person::of(seller), "Lamp", 10.0, stock).await
    }

    pub async fn ask(&self, node: usize, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let call = self.at(node).call(method, path).token(token);
        let call = if body.is_null() { call } else { call.json(body) };
        call.send().await.parts()
    }

    pub async fn send(&self, node: usize, method: Method, path: &str, token: &str, body: &Value) -> Value {
        self.at(node).call(method, path).token(token).json(body).send().await.done()
    }

    pub async fn post(&self, node: usize, path: &str, token: &str, body: &Value) -> Value {
        self.at(node).do_as(token, path, body).await
    }

    pub async fn get(&self, node: usize, path: &str, token: &str) -> (u16, Value) {
        self.ask(node, Method::GET, path, token, &Value::Null).await
    }

    /// Blocks a user, as an admin does on that node.
    pub async fn block(&self, node: usize, user: &str) {
        self.at(node).set_blocked(&Person { id: user.to_owned(), ..Person::default() }, true).await;
    }

    pub async fn stock(&self, product: &str) -> StockLevel {
        let product: ProductId = product.parse().unwrap();
        self.store.stores().stock.get(product).await.unwrap().unwrap()
    }

    pub async fn mails(&self, node: usize, subject: &str) -> usize {
        let begins = |mail: &Value| mail["subject"].as_str().is_some_and(|is| is.starts_with(subject));
        self.at(node).mailbox().await.iter().filter(|mail| begins(mail)).count()
    }

    /// Ends one node.
    pub async fn end(&mut self, node: usize) {
        if let Some(node) = self.nodes[node].take() {
            node.stop().await;
        }
    }

    pub async fn stop(mut self) {
        for node in 0..self.nodes.len() {
            self.end(node).await;
        }
        self.store.drop_databases().await.unwrap();
    }
}
