//! The configuration: typed settings, read once at the start.
//!
//! `config/default.toml` (which lists every key), then `config/<environment>.toml`, then
//! variables, then flags. `layers` merges them with figment, serde reads them into the structs
//! of `sections`, garde checks each value, `check` holds the rules between keys.
//! A wrong value ends the start with one sentence that names its key.
//!
//! **Invariant:** a [`Config`] contains only values that have passed every check, and its secrets are never printed.

mod assistant;
mod check;
mod consume;
mod error;
mod explain;
mod fields;
mod guessable;
mod layers;
pub mod lock;
mod mail;
mod network;
mod nodes;
mod origins;
mod pictures;
mod public_url;
mod rules;
pub mod secret;
#[rustfmt::skip]
mod sections;
mod services;
mod sources;
mod suggest;
#[cfg(test)]
mod tests;
mod values;

use serde::Serialize;

pub use self::{
    assistant::{ModelSettings, Provider},
    check::JWT_SECRET_MIN,
    consume::Consume,
    error::ConfigError,
    explain::Setting,
    lock::{DataDir, LockError},
    mail::{MailLogin, MailServer, MailTls, TokenSource},
    network::{Network, NetworkError},
    origins::Origins,
    pictures::ImageKitSettings,
    public_url::{PublicUrl, listening_url},
    secret::{SANDBOX_KEY_ID, SecretError, Secrets},
    sections::{
        AssistantConfig, CartConfig, CatalogueConfig, ChatConfig, Config, EmailConfig, GeminiConfig, HttpConfig,
        ImagekitConfig, LogConfig, MailboxConfig, MongoConfig, OrderConfig, PasswordsConfig, PeersConfig,
        PricingConfig, RabbitConfig, RateLimitConfig, RazorpayConfig, RedisConfig, SmtpConfig, SqliteConfig,
        WebhooksConfig,
    },
    services::{Service, Services},
    sources::{Overrides, Sources},
    values::duration,
};

/// The environment of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Environment {
    /// Sandbox payments, the mailbox and insecure cookies are allowed.
    Development,
    /// They are refused.
    Production,
}

/// What is asked of users who have not confirmed their e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EmailVerification {
    /// Nothing; no link is mailed at registration.
    Off,
    /// They are reminded.
    Remind,
    /// They can neither buy nor sell.
    Required,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
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
        let merged = layers::merged(sources, overrides)?;
        let mut config = layers::extract(&merged)?;
        config.http.port = nodes::port(&config, layers::origin(&merged, "http.port").as_deref());
        check::check(&config).map_err(|error| layers::with_origin(error, &merged))?;
        let settings = explain::settings(&config, &merged);
        Ok((config, settings))
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
