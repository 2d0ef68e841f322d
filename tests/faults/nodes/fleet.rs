//! The processes of a shop, one for each service or replicas, and routing to them as a gateway does.

use std::{
    collections::HashMap,
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use microbazaar::{
    domain::ids::EventId,
    store::mongo::{MongoOptions, MongoStore},
};
use parking_lot::Mutex;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;
use test_support::{Answer, Client, Process, Proxy, Settings, eventually, rabbit::Broker, servers};

use super::super::settings;

pub const SERVICES: [&str; 8] =
    ["auth", "product", "inventory", "cart", "order", "payment", "notification", "seller-dashboard"];
const PEERS: [&str; 6] = ["auth", "product", "inventory", "cart", "order", "payment"];

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

/// Proxies to the three servers, each of which can be cut at any time.
pub struct ServerProxies {
    pub mongo: Proxy,
    pub rabbit: Proxy,
    pub redis: Proxy,
}

/// The processes of one shop.
pub struct Fleet {
    pub shape: Shape,
    pub broker: Broker,
    /// Sends a request to the process of the path's service, or to the next replica, until there is an answer.
    pub client: Client,
    /// The settings of every node.
    settings: Settings,
    mongo: MongoOptions,
    nodes: Mutex<HashMap<&'static str, Process>>,
    ports: HashMap<&'static str, u16>,
}

impl Fleet {
    /// One process for each service, none of them started; prints a note and returns `None` without the servers.
    pub async fn prepare() -> Option<Self> {
        let (mongo, broker) = (servers::mongo()?, Broker::empty().await?);
        Some(Self::of(Shape::Split, &mongo, broker, |settings, prefix, broker| {
            settings.mongo(&mongo, prefix).rabbit(broker)
        }))
    }

    /// A fleet with every service up.
    pub async fn start() -> Option<Self> {
        let fleet = Self::prepare().await?;
        fleet.up().await;
        Some(fleet)
    }

    /// Two running replicas with this payment window.
    pub async fn replicas(window: &str) -> Option<Self> {
        let (mongo, redis, broker) = (servers::mongo()?, servers::redis()?, Broker::empty().await?);
        let fleet = Self::of(Shape::Replicas, &mongo, broker, |settings, prefix, broker| {
            let settings = settings.mongo(&mongo, prefix).rabbit(broker).redis(&redis);
            settings.set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", window)
        });
        fleet.up().await;
        Some(fleet)
    }

    /// Running processes, with proxies to the three servers.
    pub async fn start_with_proxies(shape: Shape) -> Option<(Self, ServerProxies)> {
        let (mongo, redis, broker) = (servers::mongo()?, servers::redis()?, Broker::empty().await?);
        let [of_mongo, of_rabbit, of_redis] = [&mongo, &broker.url, &redis].map(|url| Proxy::start(url));
        let proxies = ServerProxies { mongo: of_mongo, rabbit: of_rabbit, redis: of_redis };
        let fleet = Self::of(shape, &mongo, broker, |settings, prefix, _| {
            settings.mongo(&proxies.mongo.url, prefix).rabbit(&proxies.rabbit.url).redis(&proxies.redis.url)
        });
        fleet.up().await;
        Some((fleet, proxies))
    }

    /// Processes that use the servers of `configure`, none of them started.
    fn of(shape: Shape, mongo: &str, broker: Broker, configure: impl FnOnce(Settings, &str, &str) -> Settings) -> Self {
        let prefix = format!("n_{}_", EventId::generate());
        // All are held at once, so that they differ.
        let names = shape.names();
        let held: Vec<TcpListener> = names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: HashMap<_, _> =
            names.iter().copied().zip(held.iter().map(|one| one.local_addr().unwrap().port())).collect();
        let settings = settings().set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "6s");
        let settings = settings.set("MICROBAZAAR_HTTP__WORKERS", "1").set("MICROBAZAAR_PASSWORDS__CONCURRENCY", "1");
        let (to, turns) = (ports.clone(), Arc::new(AtomicUsize::new(0)));
        let client = Client::new("").patient().by(move |path| {
            let name = match shape {
                Shape::Split => of_path(path),
                Shape::Replicas => names[turns.fetch_add(1, Ordering::Relaxed) % names.len()],
            };
            format!("http://127.0.0.1:{}{path}", to[name])
        });
        let settings = configure(settings, &prefix, &broker.url);
        let mongo = MongoOptions::new(SecretString::from(mongo), prefix);
        Self { shape, broker, client, settings, mongo, nodes: Mutex::default(), ports }
    }

    async fn up(&self) {
        // The first one creates the indexes, the others find them.
        for name in self.shape.names() {
            self.nodes.lock().insert(name, Process::spawn(self.command(name)));
        }
        self.nodes.lock().values_mut().for_each(|node| node.until_ready().unwrap());
        self.until_all_ready().await;
    }

    pub async fn until_all_ready(&self) {
        for name in self.shape.names() {
            self.until_ready(name).await;
        }
    }

    /// The command that starts a node.
    pub fn command(&self, name: &'static str) -> Command {
        let mut command = self.settings.command(&["serve"]);
        command.env("PORT", self.ports[name].to_string());
        match self.shape {
            Shape::Split => {
                command.args(["--services", name]);
                for peer in PEERS {
                    let url = format!("http://127.0.0.1:{}", self.ports[peer]);
                    command.env(format!("MICROBAZAAR_PEERS__{}", peer.to_uppercase()), url);
                }
            }
            Shape::Replicas => {
                command.env("MICROBAZAAR_DATA_DIR", self.settings.folder().join(name));
            }
        }
        command
    }

    /// Kills a node.
    pub fn kill(&self, service: &'static str) {
        self.nodes.lock().remove(service).expect("it runs").kill();
    }

    /// Freezes or resumes a node.
    pub fn freeze(&self, service: &'static str, frozen: bool) {
        self.nodes.lock()[service].freeze(frozen);
    }

    /// Starts a node and waits until it listens.
    pub fn restart(&self, service: &'static str) {
        let mut node = Process::spawn(self.command(service));
        node.until_ready().unwrap();
        self.nodes.lock().insert(service, node);
    }

    /// The processes that serve a path.
    pub fn serving(&self, path: &str) -> Vec<&'static str> {
        match self.shape {
            Shape::Split => vec![of_path(path)],
            Shape::Replicas => self.shape.names().to_vec(),
        }
    }

    /// The sum of a metric's lines with this prefix; `None` when there is none.
    pub async fn metric(&self, name: &str, begins: &str) -> Option<f64> {
        let text = self.at(name).metrics().await;
        let of_line = |line: &str| line.strip_prefix(begins)?.rsplit_once(' ')?.1.parse::<f64>().ok();
        text.lines().filter_map(of_line).reduce(|sum, more| sum + more)
    }

    /// A client of one node, for any path.
    pub fn at(&self, name: &str) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.ports[name])).prompt()
    }

    /// Sends a request to a node that serves the path.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        self.ask_at(self.serving(path)[0], method, path, token, body).await
    }

    /// Sends a request to one node, which must answer.
    pub async fn ask_at(&self, name: &str, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let call = self.at(name).call(method, path).header("accept", "application/json").token(token);
        body.into_iter().fold(call, test_support::Call::json).send().await
    }

    /// A service's readiness: its state, and what is unavailable.
    pub async fn readyz(&self, service: &str) -> (String, Vec<String>) {
        let at = self.at(service);
        let Ok(answer) = at.http.get(format!("{}/readyz", at.base())).send().await else {
            return ("away".to_owned(), vec![]);
        };
        let view: Value = answer.json().await.unwrap_or_default();
        let away = view["away"].as_array().into_iter().flatten();
        let away = away.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (view["status"].as_str().unwrap_or_default().to_owned(), away)
    }

    pub async fn until_ready(&self, service: &str) {
        eventually(&format!("{service} is ready"), async || self.readyz(service).await.0 == "ready").await;
    }

    /// Ends all nodes and removes their data.
    pub async fn end(self) {
        self.nodes.lock().clear();
        MongoStore::open(self.mongo).await.unwrap().drop_databases().await.unwrap();
    }
}

/// The service of a path.
fn of_path(path: &str) -> &'static str {
    let routes = [
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
    routes.into_iter().find(|(start, _)| path.starts_with(start)).expect("a path of a service").1
}
