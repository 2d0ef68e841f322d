//! The processes of a shop, one for each service or replicas, and routing to them as a gateway does.

use std::{
    collections::HashMap,
    net::TcpListener,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    domain::{ids::EventId, queues::QUEUES},
    store::mongo::{MongoOptions, MongoStore},
};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::MutexGuard;

use super::{
    node::{Node, NodeSettings, command},
    proxies::{ServerProxies, ServerProxy},
};

pub const SERVICES: [&str; 8] =
    ["auth", "product", "inventory", "cart", "order", "payment", "notification", "seller-dashboard"];
const PEERS: [&str; 6] = ["auth", "product", "inventory", "cart", "order", "payment"];
pub const SECRET: &str = "a secret of thirty-two bytes, or so";
/// The deadline of a test's waits.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How long a client waits for an answer; no request may take that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: they share the broker's queues.
static EXCLUSIVE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// An answer: its status, headers and body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub traceresponse: Option<String>,
    pub body: Value,
}

/// The set of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One for each service.
    Split,
    /// Two, each of which serves everything.
    Replicas,
}

impl Shape {
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Split => &SERVICES,
            Self::Replicas => &["one", "two"],
        }
    }
}

/// The processes of one shop.
pub struct Fleet {
    pub settings: NodeSettings,
    pub channel: Channel,
    pub shape: Shape,
    /// How many answers had an unknown outcome.
    pub unknown: AtomicUsize,
    turns: AtomicUsize,
    nodes: Mutex<HashMap<&'static str, Node>>,
    ports: HashMap<&'static str, u16>,
    folder: PathBuf,
    client: reqwest::Client,
    _connection: Connection,
    _turn: MutexGuard<'static, ()>,
}

impl Fleet {
    /// One process for each service, none of them started; prints a note and returns `None` without the servers.
    pub async fn prepare() -> Option<Self> {
        let (Ok(mongo), Ok(rabbit)) = (std::env::var("TEST_MONGO_URI"), std::env::var("TEST_RABBIT_URL")) else {
            eprintln!("left out: TEST_MONGO_URI and TEST_RABBIT_URL do not name a database and a broker");
            return None;
        };
        Some(Self::of(Shape::Split, mongo, rabbit, None).await)
    }

    /// Two running replicas with this payment window.
    pub async fn replicas(window: &'static str) -> Option<Self> {
        let (mongo, rabbit, redis) = servers()?;
        let mut fleet = Self::of(Shape::Replicas, mongo, rabbit, Some(redis)).await;
        fleet.settings.window = window;
        fleet.up().await;
        Some(fleet)
    }

    /// Running processes, with proxies to the three servers.
    pub async fn start_with_proxies(shape: Shape) -> Option<(Self, ServerProxies)> {
        let (mongo, rabbit, redis) = servers()?;
        let server_proxies = ServerProxies {
            mongo: ServerProxy::to(&mongo),
            rabbit: ServerProxy::to(&rabbit),
            redis: ServerProxy::to(&redis),
        };
        let mut fleet = Self::of(shape, mongo, rabbit, None).await;
        let url = |server_proxy: &ServerProxy| server_proxy.url().to_owned();
        (fleet.settings.mongo, fleet.settings.rabbit) = (url(&server_proxies.mongo), url(&server_proxies.rabbit));
        fleet.settings.redis = Some(url(&server_proxies.redis));
        fleet.up().await;
        Some((fleet, server_proxies))
    }

    /// Processes that use these servers, none of them started.
    async fn of(shape: Shape, mongo: String, rabbit: String, redis: Option<String>) -> Self {
        let exclusive = EXCLUSIVE.lock().await;
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
        // All are held at once, so that they differ.
        let names = shape.names();
        let held: Vec<TcpListener> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: HashMap<_, _> =
            names.iter().copied().zip(held.iter().map(|one| one.local_addr().unwrap().port())).collect();
        let peers = match shape {
            Shape::Split => PEERS.into_iter().map(|peer| (peer, ports[peer])).collect(),
            Shape::Replicas => vec![],
        };
        let settings =
            NodeSettings { mongo, rabbit, redis, prefix: format!("n_{id}_"), secret: SECRET, window: "6s", peers };
        let client = microbazaar::runtime::http_client::builder().timeout(PATIENCE).build().unwrap();
        let (nodes, turns, unknown) = (Mutex::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        Self {
            settings,
            channel,
            shape,
            unknown,
            turns,
            nodes,
            ports,
            folder,
            client,
            _connection: connection,
            _turn: exclusive,
        }
    }

    /// A fleet with every service up.
    pub async fn start() -> Option<Self> {
        let fleet = Self::prepare().await?;
        fleet.up().await;
        Some(fleet)
    }

    async fn up(&self) {
        // The first one creates the indexes, the others find them.
        for name in self.shape.names() {
            self.spawn(name);
        }
        self.nodes.lock().values().for_each(Node::listens);
        self.until_all_ready().await;
    }

    pub async fn until_all_ready(&self) {
        for name in self.shape.names() {
            self.until_ready(name).await;
        }
    }

    pub fn command(&self, name: &'static str) -> std::process::Command {
        let service = (self.shape == Shape::Split).then_some(name);
        let folder = if service.is_some() { self.folder.clone() } else { self.folder.join(name) };
        std::fs::create_dir_all(&folder).unwrap();
        command(&self.settings, service, self.ports[name], &folder)
    }

    fn spawn(&self, service: &'static str) {
        let node = Node::spawn(self.command(service));
        self.nodes.lock().insert(service, node);
    }

    /// Kills a node.
    pub fn kill(&self, service: &'static str) {
        drop(self.nodes.lock().remove(service).expect("it runs"));
    }

    /// Freezes or resumes a node.
    pub fn freeze(&self, service: &'static str, frozen: bool) {
        self.nodes.lock()[service].freeze(frozen);
    }

    /// Starts a node and waits until it listens.
    pub fn restart(&self, service: &'static str) {
        let node = Node::spawn(self.command(service));
        node.listens();
        self.nodes.lock().insert(service, node);
    }

    /// The processes that serve a path.
    pub fn serving(&self, path: &str) -> Vec<&'static str> {
        match self.shape {
            Shape::Split => vec![Self::of_path(path)],
            Shape::Replicas => self.shape.names().to_vec(),
        }
    }

    /// The sum of a metric's lines with this prefix; `None` when there is none.
    pub async fn metric(&self, name: &str, begins: &str) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.ports[name]);
        let output = self.client.get(url).send().await.ok()?.text().await.ok()?;
        let of_line = |line: &str| line.strip_prefix(begins)?.rsplit_once(' ')?.1.parse::<f64>().ok();
        output.lines().filter_map(of_line).reduce(|sum, more| sum + more)
    }

    /// The service of a path.
    fn of_path(path: &str) -> &'static str {
        let server_proxies = [
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
        server_proxies.into_iter().find(|(start, _)| path.starts_with(start)).expect("a path of a service").1
    }

    /// Sends a request to the process of the path's service, or to the next replica; `None` when it is unavailable.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Option<Answer> {
        let names = self.shape.names();
        let name = match self.shape {
            Shape::Split => Self::of_path(path),
            Shape::Replicas => names[self.turns.fetch_add(1, Ordering::Relaxed) % names.len()],
        };
        self.ask_at(name, method, path, token, body, &[]).await
    }

    /// Sends a request to one service, which must answer.
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

    /// A service's readiness: its state, and what is unavailable.
    pub async fn readyz(&self, service: &str) -> (String, Vec<String>) {
        let Some(answer) = self.ask_at(service, Method::GET, "/readyz", "", None, &[]).await else {
            return ("away".to_owned(), vec![]);
        };
        let away = answer.body["away"].as_array().cloned().unwrap_or_default();
        let away = away.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (answer.body["status"].as_str().unwrap_or_default().to_owned(), away)
    }

    pub async fn until_ready(&self, service: &str) {
        let mut said = (String::new(), vec![]);
        let ready = async {
            while said.0 != "ready" {
                tokio::time::sleep(Duration::from_millis(50)).await;
                said = self.readyz(service).await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, ready).await.is_ok();
        assert!(in_time, "in time: {service} is ready, which is {} without {:?}", said.0, said.1);
    }

    /// Ends all nodes and removes their data.
    pub async fn end(self) {
        self.nodes.lock().clear();
        let options = MongoOptions::new(SecretString::from(self.settings.mongo.clone()), self.settings.prefix.clone());
        MongoStore::open(options).await.unwrap().drop_databases().await.unwrap();
    }
}

/// MongoDB, RabbitMQ and Redis; prints a note and returns `None` if one is missing.
fn servers() -> Option<(String, String, String)> {
    let url = |name| std::env::var(name).ok();
    let all = (url("TEST_MONGO_URI"), url("TEST_RABBIT_URL"), url("TEST_REDIS_URL"));
    let (Some(mongo), Some(rabbit), Some(redis)) = all else {
        eprintln!("left out: TEST_MONGO_URI, TEST_RABBIT_URL and TEST_REDIS_URL do not name all three servers");
        return None;
    };
    Some((mongo, rabbit, redis))
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
