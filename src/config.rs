//! The configuration: typed settings, read once at the start.
//!
//! `config/default.toml` (which lists every key), then `config/<environment>.toml`, then
//! variables, then flags; [`layers`] merges them, [`reader`] reads them, `check` holds
//! the rules between keys and `unsupported` what this build refuses. A wrong value ends
//! the start with one sentence that names its key.
//!
//! **Invariant:** whoever holds a [`Config`] holds values that have passed every check,
//! and secrets in it are never printed.

mod assemble;
mod check;
mod error;
mod explain;
mod layers;
pub mod lock;
mod network;
mod reader;
pub mod secret;
mod services;
mod suggest;
#[cfg(test)]
mod tests;
mod unsupported;
mod values;

use std::{num::NonZeroU32, path::PathBuf, thread, time::Duration};

use secrecy::SecretString;

pub use self::{
    check::JWT_SECRET_MIN,
    error::ConfigError,
    layers::{Overrides, Sources},
    lock::{DataDir, LockError},
    network::{Network, NetworkError},
    reader::Setting,
    secret::{SANDBOX_KEY_ID, SecretError, Secrets},
    services::{Service, Services},
};

/// What kind of place the process runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Sandbox payments, the mailbox and plain cookies are welcome.
    Development,
    /// They are refused.
    Production,
}

/// Every setting.
#[derive(Debug, Clone)]
pub struct Config {
    /// Development or production.
    pub environment: Environment,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// What this process serves.
    pub services: Services,
    /// Signs tokens; see [`Config::secrets`] for the one made when none is given.
    pub jwt_secret: Option<SecretString>,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Limits by rate.
    pub rate_limit: RateLimitConfig,
    /// Orders.
    pub order: OrderConfig,
    /// Tax and shipping.
    pub pricing: PricingConfig,
    /// The embedded database.
    pub sqlite: SqliteConfig,
    /// MongoDB.
    pub mongo: MongoConfig,
    /// RabbitMQ.
    pub rabbit: RabbitConfig,
    /// Redis.
    pub redis: UrlConfig,
    /// The payment gateway.
    pub razorpay: RazorpayConfig,
    /// Hosted pictures.
    pub imagekit: ImagekitConfig,
    /// The language model.
    pub gemini: GeminiConfig,
    /// The mail server.
    pub smtp: UrlConfig,
    /// Mails.
    pub email: EmailConfig,
    /// Where the other services are.
    pub peers: PeersConfig,
    /// Logging.
    pub log: LogConfig,
    /// The embedded mailbox.
    pub mailbox: MailboxConfig,
    /// Password hashing.
    pub passwords: PasswordsConfig,
    /// Carts.
    pub cart: CartConfig,
    /// The catalogue.
    pub catalogue: CatalogueConfig,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Origins whose pages may send a user's cookie.
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
}

/// `[redis]` and `[smtp]`
#[derive(Debug, Clone)]
pub struct UrlConfig {
    /// The server's address, which may hold a password.
    pub url: Option<SecretString>,
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

/// `[email]`
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// The sender of every mail.
    pub from: String,
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

impl Config {
    /// Reads the files, this process's variables and `overrides`.
    ///
    /// # Errors
    /// The first key that is unknown, wrong or refused.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::load_from(&Sources::of_process()?, overrides)
    }

    /// As [`Config::load`], from `sources` alone.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_from(sources: &Sources, overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::load_with_settings(sources, overrides).map(|(config, _)| config)
    }

    /// As [`Config::load_from`], with every setting and where it was set.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with_settings(sources: &Sources, overrides: &Overrides) -> Result<(Self, Vec<Setting>), ConfigError> {
        let mut reader = reader::Reader::new(layers::merged(sources, overrides)?);
        let config = assemble::config(&mut reader)?;
        check::check(&config)?;
        Ok((config, reader.settings))
    }

    /// What is given and this build cannot honour yet.
    #[must_use]
    pub fn unsupported(&self) -> Vec<ConfigError> {
        unsupported::refusals(self)
    }

    /// Whether cookies go over HTTPS only.
    #[must_use]
    pub fn secure_cookies(&self) -> bool {
        self.environment == Environment::Production
    }

    /// The embedded parts in use, as (what, which), for people.
    #[must_use]
    pub fn embedded(&self) -> Vec<(&'static str, String)> {
        explain::embedded(self)
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
