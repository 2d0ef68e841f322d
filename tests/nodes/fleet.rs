//! One process a service, and the way to each by path, as a gateway leads it.

use std::{collections::HashMap, net::TcpListener, path::PathBuf, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    bus::table::QUEUES,
    domain::ids::EventId,
    store::mongo::{MongoOptions, MongoStore},
};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::MutexGuard;

use super::node::{Node, Told, command};

pub const SERVICES: [&str; 8] =
    ["auth", "product", "inventory", "cart", "order", "payment", "notification", "seller-dashboard"];
const PEERS: [&str; 6] = ["auth", "product", "inventory", "cart", "order", "payment"];
pub const SECRET: &str = "a secret of thirty-two bytes, or so";
/// How long a test waits for what is to happen.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How long a caller waits for an answer; nothing may hang as long as that.
const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: they share the broker's queues.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// An answer: its status, headers and body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub traceresponse: Option<String>,
    pub body: Value,
}

/// Every service in a process of its own.
pub struct Fleet {
    pub told: Told,
    pub channel: Channel,
    nodes: Mutex<HashMap<&'static str, Node>>,
    ports: HashMap<&'static str, u16>,
    folder: PathBuf,
    client: reqwest::Client,
    _connection: Connection,
    _turn: MutexGuard<'static, ()>,
}

impl Fleet {
    /// A fleet without a node started; `None`, and a word about it, without the servers.
    pub async fn prepare() -> Option<Self> {
        let (Ok(mongo), Ok(rabbit)) = (std::env::var("TEST_MONGO_URI"), std::env::var("TEST_RABBIT_URL")) else {
            eprintln!("left out: TEST_MONGO_URI and TEST_RABBIT_URL do not name a database and a broker");
            return None;
        };
        let turn = TURN.lock().await;
        let connection = Connection::connect(&rabbit, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        for queue in QUEUES {
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.name.into(), durable, FieldTable::default()).await.unwrap();
            channel.queue_purge(queue.name.into(), QueuePurgeOptions::default()).await.unwrap();
        }
        let id = EventId::generate();
        let folder = std::env::temp_dir().join(format!("microbazaar-nodes-{id}"));
        std::fs::create_dir_all(&folder).unwrap();
        // Held all at once, so that they differ.
        let held: Vec<TcpListener> = SERVICES.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: HashMap<_, _> =
            SERVICES.into_iter().zip(held.iter().map(|one| one.local_addr().unwrap().port())).collect();
        let peers = PEERS.into_iter().map(|peer| (peer, ports[peer])).collect();
        let told = Told { mongo, rabbit, prefix: format!("n_{id}_"), secret: SECRET, peers };
        let client = microbazaar::integrations::http_client::builder().timeout(PATIENCE).build().unwrap();
        let nodes = Mutex::default();
        Some(Self { told, channel, nodes, ports, folder, client, _connection: connection, _turn: turn })
    }

    /// A fleet with every service up.
    pub async fn start() -> Option<Self> {
        let fleet = Self::prepare().await?;
        // The first makes the indexes, the others find them.
        for service in SERVICES {
            fleet.spawn(service);
        }
        fleet.nodes.lock().values().for_each(Node::listens);
        for service in SERVICES {
            fleet.until_ready(service).await;
        }
        Some(fleet)
    }

    pub fn command(&self, service: &'static str) -> std::process::Command {
        command(&self.told, service, self.ports[service], &self.folder)
    }

    fn spawn(&self, service: &'static str) {
        let node = Node::spawn(self.command(service));
        self.nodes.lock().insert(service, node);
    }

    /// Kills a node.
    pub fn kill(&self, service: &'static str) {
        drop(self.nodes.lock().remove(service).expect("it runs"));
    }

    /// Lets a node do nothing, or go on.
    pub fn freeze(&self, service: &'static str, frozen: bool) {
        self.nodes.lock()[service].freeze(frozen);
    }

    /// Starts a node and waits until it listens.
    pub fn restart(&self, service: &'static str) {
        let node = Node::spawn(self.command(service));
        node.listens();
        self.nodes.lock().insert(service, node);
    }

    /// Which service a path belongs to.
    fn of_path(path: &str) -> &'static str {
        let ways = [
            ("/api/auth", "auth"),
            ("/api/products", "product"),
            ("/media", "product"),
            ("/api/inventory", "inventory"),
            ("/api/cart", "cart"),
            ("/api/orders", "order"),
            ("/api/payments", "payment"),
            ("/sandbox", "payment"),
            ("/api/seller", "seller-dashboard"),
            ("/api/webhooks", "notification"),
            ("/dev/mailbox", "notification"),
        ];
        ways.into_iter().find(|(start, _)| path.starts_with(start)).expect("a path of a service").1
    }

    /// Asks the service that a path belongs to; `None` when it is away.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Option<Answer> {
        self.ask_at(Self::of_path(path), method, path, token, body, &[]).await
    }

    /// Asks one service, whatever the path. A service that is there answers.
    pub async fn ask_at(
        &self,
        service: &str,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[service]);
        let mut request = self.client.request(method, url).header("accept", "application/json");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                assert!(!error.is_timeout(), "{service} does not answer {path}");
                return None;
            }
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
        let (status, retry_after, traceresponse) = (answer.status(), header("retry-after"), header("traceresponse"));
        let body = answer.bytes().await.ok()?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Some(Answer { status, retry_after, traceresponse, body })
    }

    /// How a service says it is: its state, and what is away.
    pub async fn readyz(&self, service: &str) -> (String, Vec<String>) {
        let Some(answer) = self.ask_at(service, Method::GET, "/readyz", "", None, &[]).await else {
            return ("away".to_owned(), vec![]);
        };
        let away = answer.body["away"].as_array().cloned().unwrap_or_default();
        let away = away.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (answer.body["status"].as_str().unwrap_or_default().to_owned(), away)
    }

    pub async fn until_ready(&self, service: &str) {
        until(&format!("{service} is ready"), async || self.readyz(service).await.0 == "ready").await;
    }

    /// Ends all nodes and removes what they left.
    pub async fn end(self) {
        self.nodes.lock().clear();
        let options = MongoOptions::new(SecretString::from(self.told.mongo.clone()), self.told.prefix.clone());
        MongoStore::open(options).await.unwrap().drop_databases().await.unwrap();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.nodes.lock().clear();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
