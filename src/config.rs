//! The configuration: typed settings, read once at the start.
//!
//! `config/default.toml` (which lists every key), then `config/<environment>.toml`, then
//! variables, then flags; `layers` merges them, `reader` reads them, `check` holds
//! the rules between keys. A wrong value ends the start with one sentence that names its key.
//!
//! **Invariant:** whoever holds a [`Config`] holds values that have passed every check,
//! and secrets in it are never printed.

mod assemble;
mod assistant;
mod check;
mod error;
mod explain;
mod layers;
pub mod lock;
mod mail;
mod network;
mod nodes;
mod pictures;
mod public_url;
mod reader;
pub mod secret;
mod sections;
mod services;
mod suggest;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;

use secrecy::SecretString;

pub use self::{
    check::JWT_SECRET_MIN,
    error::ConfigError,
    layers::{Overrides, Sources},
    lock::{DataDir, LockError},
    mail::{MailLogin, MailServer, MailTls, TokenSource},
    network::{Network, NetworkError},
    public_url::{PublicUrl, listening_url},
    reader::Setting,
    secret::{SANDBOX_KEY_ID, SecretError, Secrets},
    sections::{
        AssistantConfig, CartConfig, CatalogueConfig, ChatConfig, Consume, EmailConfig, GeminiConfig, HttpConfig,
        ImagekitConfig, LogConfig, LogFormat, MailboxConfig, MongoConfig, OrderConfig, PasswordsConfig, PeersConfig,
        PricingConfig, RabbitConfig, RateLimitConfig, RazorpayConfig, RedisConfig, SmtpConfig, SqliteConfig,
        WebhooksConfig,
    },
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
    pub redis: RedisConfig,
    /// The payment gateway.
    pub razorpay: RazorpayConfig,
    /// Hosted pictures.
    pub imagekit: ImagekitConfig,
    /// Google Gemini.
    pub gemini: GeminiConfig,
    /// The assistant.
    pub assistant: AssistantConfig,
    /// The chat.
    pub chat: ChatConfig,
    /// The mail server.
    pub smtp: SmtpConfig,
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
    /// Webhooks.
    pub webhooks: WebhooksConfig,
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
