//! The sections of the configuration, one struct each.

use std::{num::NonZeroU32, path::PathBuf, thread, time::Duration};

use secrecy::SecretString;

use super::{network::Network, services::Service};

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The shop's own address; without one it is where the process listens.
    pub public_url: Option<String>,
    /// Origins of web clients elsewhere, whose pages may send a user's cookie.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Request threads; 0 means one a core.
    pub workers: usize,
    /// For reading one request.
    pub request_timeout: Duration,
}

impl HttpConfig {
    /// How many request threads to start.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        if self.workers == 0 { cores() } else { self.workers }
    }
}

/// `[rate_limit]`
#[derive(Debug, Clone)]
pub struct RateLimitConfig {
    /// Whether anything is limited by rate.
    pub enabled: bool,
    /// Attempts to log in or register, per address and per account.
    pub auth_per_minute: NonZeroU32,
}

/// `[order]`
#[derive(Debug, Clone)]
pub struct OrderConfig {
    /// How long an order waits for its payment.
    pub payment_window: Duration,
    /// How many orders of one user may wait for their payment at once.
    pub max_unpaid: u32,
}

/// `[pricing]`
#[derive(Debug, Clone)]
pub struct PricingConfig {
    /// Tax in hundredths of a percent.
    pub tax_basis_points: u32,
    /// Shipping in minor units of the order's currency.
    pub shipping_flat_minor: i64,
}

/// `[sqlite]`
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// Connections that read.
    pub readers: usize,
}

/// `[mongo]`
#[derive(Debug, Clone)]
pub struct MongoConfig {
    /// The connection string, which may hold a password.
    pub uri: Option<SecretString>,
    /// Begins the name of each service's database.
    pub database_prefix: String,
}

/// Which queues a process reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consume {
    /// Every one.
    All,
    /// These.
    Queues(Vec<String>),
}

/// `[rabbit]`
#[derive(Debug, Clone)]
pub struct RabbitConfig {
    /// The broker's address, which may hold a password.
    pub url: Option<SecretString>,
    /// The queues that this process reads.
    pub consume: Consume,
    /// The four pauses before a message that was not handled is tried again.
    pub retry_delays: [Duration; 4],
}

/// `[redis]`
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The server's address, which may hold a password.
    pub url: Option<SecretString>,
    /// Begins each key and channel.
    pub prefix: String,
    /// How long a call may take before this node goes on by itself.
    pub timeout: Duration,
    /// How often a node looks for what others did while they wake it.
    pub look_every: Duration,
}

/// `[razorpay]`
#[derive(Debug, Clone)]
pub struct RazorpayConfig {
    /// The public key; without it the sandbox stands in.
    pub key_id: Option<String>,
    /// Signs a payment; used by the sandbox as well.
    pub key_secret: Option<SecretString>,
    /// Signs a webhook; used by the sandbox as well.
    pub webhook_secret: Option<SecretString>,
    /// The gateway's address.
    pub base_url: String,
    /// How often payments that nobody reported are asked about.
    pub reconcile_every: Duration,
}

/// `[imagekit]`
#[derive(Debug, Clone)]
pub struct ImagekitConfig {
    /// The public key.
    pub public_key: Option<String>,
    /// The private key.
    pub private_key: Option<SecretString>,
    /// Where pictures are shown from.
    pub url_endpoint: Option<String>,
    /// Where pictures are sent to.
    pub base_url: String,
    /// How long to wait before a refused key is tried again, and at most while it is away.
    pub retry_every: Duration,
}

/// `[gemini]`
#[derive(Debug, Clone)]
pub struct GeminiConfig {
    /// The key.
    pub api_key: Option<SecretString>,
    /// The API's address.
    pub base_url: String,
    /// The model's name.
    pub model: String,
}

/// `[assistant]`
#[derive(Debug, Clone)]
pub struct AssistantConfig {
    /// Who runs the language model: a provider, `none`, or nothing for Gemini where it has a key.
    pub provider: String,
    /// The model's name there.
    pub model: Option<String>,
    /// Where it is.
    pub base_url: Option<String>,
    /// The key.
    pub api_key: Option<SecretString>,
    /// Whether answers are read as they are written.
    pub stream: bool,
    /// How long the model may say nothing.
    pub stall: Duration,
}

/// `[chat]`
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// How long a conversation is kept in which nothing is said.
    pub keep: Duration,
    /// How long the assistant may take for one reply.
    pub answer_within: Duration,
    /// Tokens that a user may spend on a model in a day.
    pub tokens_per_day: u64,
    /// Tokens that one message may cost.
    pub tokens_per_message: u64,
}

/// `[email]`
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// The sender of every mail.
    pub from: String,
    /// Where who wants no more announcements turns to: an address or a page; none is the sender.
    pub unsubscribe: Option<String>,
    /// Who logs in to the mail server.
    pub user: Option<String>,
    /// With this password.
    pub password: Option<SecretString>,
    /// Or by XOAUTH2, with tokens that this client fetches.
    pub client_id: Option<String>,
    /// The client's secret.
    pub client_secret: Option<SecretString>,
    /// What tokens are given for.
    pub refresh_token: Option<SecretString>,
    /// Where they are fetched.
    pub token_url: String,
    /// Or with this one token.
    pub access_token: Option<SecretString>,
}

/// `[smtp]`
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// The mail server's address, which may hold a password.
    pub url: Option<SecretString>,
    /// Authorities to believe besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
}

/// `[peers]`
#[derive(Debug, Clone)]
pub struct PeersConfig {
    /// Auth.
    pub auth: Option<String>,
    /// Product.
    pub product: Option<String>,
    /// Inventory.
    pub inventory: Option<String>,
    /// Cart.
    pub cart: Option<String>,
    /// Order.
    pub order: Option<String>,
    /// Payment.
    pub payment: Option<String>,
}

impl PeersConfig {
    /// Where `service` is, if that is said.
    #[must_use]
    pub fn of(&self, service: Service) -> Option<&str> {
        let address = match service {
            Service::Auth => &self.auth,
            Service::Product => &self.product,
            Service::Inventory => &self.inventory,
            Service::Cart => &self.cart,
            Service::Order => &self.order,
            Service::Payment => &self.payment,
            Service::Notification | Service::SellerDashboard | Service::AiBuddy | Service::Web => return None,
        };
        address.as_deref()
    }
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The least that is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// Text or JSON.
    pub format: LogFormat,
}

/// `[mailbox]`
#[derive(Debug, Clone)]
pub struct MailboxConfig {
    /// Whether mails are kept and shown at `/dev/mailbox`.
    pub enabled: bool,
}

/// `[passwords]`
#[derive(Debug, Clone)]
pub struct PasswordsConfig {
    /// Passwords hashed at once; 0 means half of the cores.
    pub concurrency: usize,
}

impl PasswordsConfig {
    /// How many passwords may be hashed at once: at least 1.
    #[must_use]
    pub fn hashers(&self) -> usize {
        if self.concurrency == 0 { (cores() / 2).max(1) } else { self.concurrency }
    }
}

/// `[cart]`
#[derive(Debug, Clone)]
pub struct CartConfig {
    /// After that long without a request a cart's actor sleeps.
    pub idle: Duration,
}

/// `[catalogue]`
#[derive(Debug, Clone)]
pub struct CatalogueConfig {
    /// Memory for answers about products, in MiB.
    pub snapshot_mib: u32,
}

/// `[webhooks]`
#[derive(Debug, Clone)]
pub struct WebhooksConfig {
    /// Whether they may lead to private addresses.
    pub allow_private: bool,
    /// The pauses before a delivery is tried again.
    pub retry_delays: Vec<Duration>,
    /// Attempts that fail in a row before a webhook is switched off.
    pub switch_off_after: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
