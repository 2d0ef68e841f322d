//! Every setting: one line here, and its default and meaning in `config/default.toml`.
//!
//! A field declares the format of its value (`deserialize_with`, from `fields`) and, with `garde`, its rules (from
//! `rules`). Not formatted by rustfmt, so that a setting is one line.

use std::{num::NonZeroU32, path::PathBuf, thread, time::Duration};

use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::user::Role;

use super::{
    Consume, EmailVerification, Environment, LogFormat, Network, Services,
    fields::*,
    rules::{at_most, between, mongo_address, rabbit_address, redis_address, signs_tokens},
};

/// Every setting.
#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct Config {
    #[serde(deserialize_with = "one::<EnvironmentName, _>")] pub environment: Environment,
    #[serde(deserialize_with = "one::<FilePath, _>")] pub data_dir: PathBuf,
    pub services: Services,
    /// See [`Config::secrets`] for the generated one.
    #[serde(with = "hidden")] #[garde(custom(signs_tokens))] pub jwt_secret: Option<SecretString>,
    #[garde(dive)] pub http: HttpConfig,
    #[garde(dive)] pub auth: AuthConfig,
    #[garde(dive)] pub rate_limit: RateLimitConfig,
    #[garde(dive)] pub order: OrderConfig,
    #[garde(dive)] pub pricing: PricingConfig,
    #[garde(dive)] pub sqlite: SqliteConfig,
    #[garde(dive)] pub mongo: MongoConfig,
    #[garde(dive)] pub rabbit: RabbitConfig,
    #[garde(dive)] pub redis: RedisConfig,
    #[garde(dive)] pub razorpay: RazorpayConfig,
    #[garde(dive)] pub imagekit: ImagekitConfig,
    #[garde(dive)] pub gemini: GeminiConfig,
    #[garde(dive)] pub assistant: AssistantConfig,
    #[garde(dive)] pub chat: ChatConfig,
    #[garde(dive)] pub smtp: SmtpConfig,
    #[garde(dive)] pub email: EmailConfig,
    #[garde(dive)] pub peers: PeersConfig,
    #[garde(dive)] pub log: LogConfig,
    #[garde(dive)] pub mailbox: MailboxConfig,
    #[garde(dive)] pub passwords: PasswordsConfig,
    #[garde(dive)] pub cart: CartConfig,
    #[garde(dive)] pub catalogue: CatalogueConfig,
    #[garde(dive)] pub webhooks: WebhooksConfig,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct HttpConfig {
    #[serde(deserialize_with = "one::<Host, _>")] pub host: String,
    #[serde(deserialize_with = "whole::<0, 65_535, _, _>")] pub port: u16,
    #[serde(deserialize_with = "optional::<PublicOrigin, _>")] pub public_url: Option<String>,
    #[serde(deserialize_with = "list::<Origin, _>")] pub allowed_origins: Vec<String>,
    #[serde(deserialize_with = "list::<IpNetwork, _>")] pub trusted_proxies: Vec<Network>,
    #[serde(deserialize_with = "list::<IpNetwork, _>")] pub operators: Vec<Network>,
    #[serde(deserialize_with = "whole::<0, 1_024, _, _>")] pub workers: usize,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] pub request_timeout: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct AuthConfig {
    #[serde(deserialize_with = "list::<RoleName, _>")] pub two_factor_for: Vec<Role>,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct RateLimitConfig {
    #[serde(deserialize_with = "one::<Flag, _>")] pub enabled: bool,
    #[serde(deserialize_with = "whole::<1, 4_294_967_295, _, _>")] pub auth_per_minute: NonZeroU32,
    #[serde(deserialize_with = "whole::<1, 4_294_967_295, _, _>")] pub carts_per_minute: NonZeroU32,
    #[serde(deserialize_with = "whole::<1, 4_294_967_295, _, _>")] pub orders_per_minute: NonZeroU32,
    #[serde(deserialize_with = "whole::<1, 4_294_967_295, _, _>")] pub searches_per_minute: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct OrderConfig {
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(between("1s", "7d")))] pub payment_window: Duration,
    #[serde(deserialize_with = "whole::<1, 10_000, _, _>")] pub max_unpaid: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct PricingConfig {
    /// In hundredths of a percent.
    #[serde(rename = "tax_percent", deserialize_with = "one::<Percent, _>")] pub tax_basis_points: u32,
    /// In minor units of the order's currency.
    #[serde(rename = "shipping_flat", deserialize_with = "one::<Amount, _>")] pub shipping_flat_minor: i64,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct SqliteConfig {
    #[serde(deserialize_with = "whole::<1, 64, _, _>")] pub readers: usize,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct MongoConfig {
    #[serde(with = "hidden")] #[garde(custom(mongo_address))] pub uri: Option<SecretString>,
    #[serde(deserialize_with = "one::<DatabasePrefix, _>")] pub database_prefix: String,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct RabbitConfig {
    #[serde(with = "hidden")] #[garde(custom(rabbit_address))] pub url: Option<SecretString>,
    pub consume: Consume,
    #[serde(deserialize_with = "four_durations")] pub retry_delays: [Duration; 4],
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct RedisConfig {
    #[serde(with = "hidden")] #[garde(custom(redis_address))] pub url: Option<SecretString>,
    #[serde(deserialize_with = "one::<KeyPrefix, _>")] pub prefix: String,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(at_most("5s")))] pub timeout: Duration,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(at_most("1h")))] pub look_every: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct RazorpayConfig {
    #[serde(deserialize_with = "optional::<Any, _>")] pub key_id: Option<String>,
    /// Used by the sandbox as well.
    #[serde(with = "hidden")] pub key_secret: Option<SecretString>,
    /// Used by the sandbox as well.
    #[serde(with = "hidden")] pub webhook_secret: Option<SecretString>,
    #[serde(deserialize_with = "one::<BaseUrl, _>")] pub base_url: String,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] pub reconcile_every: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct ImagekitConfig {
    #[serde(deserialize_with = "optional::<Any, _>")] pub public_key: Option<String>,
    #[serde(with = "hidden")] pub private_key: Option<SecretString>,
    #[serde(deserialize_with = "optional::<Page, _>")] pub url_endpoint: Option<String>,
    #[serde(deserialize_with = "one::<BaseUrl, _>")] pub base_url: String,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(at_most("1h")))] pub retry_every: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct GeminiConfig {
    #[serde(with = "hidden")] pub api_key: Option<SecretString>,
    #[serde(deserialize_with = "one::<BaseUrl, _>")] pub base_url: String,
    #[serde(deserialize_with = "one::<Text, _>")] pub model: String,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct AssistantConfig {
    #[serde(deserialize_with = "one::<Any, _>")] pub provider: String,
    #[serde(deserialize_with = "optional::<Any, _>")] pub model: Option<String>,
    #[serde(deserialize_with = "optional::<Page, _>")] pub base_url: Option<String>,
    #[serde(with = "hidden")] pub api_key: Option<SecretString>,
    #[serde(deserialize_with = "one::<Flag, _>")] pub stream: bool,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] pub stall: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct ChatConfig {
    #[serde(deserialize_with = "one::<HumanDuration, _>")] pub keep: Duration,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(at_most("29s")))] pub answer_within: Duration,
    #[serde(deserialize_with = "whole::<0, 1_000_000_000, _, _>")] pub tokens_per_day: u64,
    #[serde(deserialize_with = "whole::<0, 10_000_000, _, _>")] pub tokens_per_message: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct SmtpConfig {
    #[serde(with = "hidden")] pub url: Option<SecretString>,
    #[serde(deserialize_with = "optional::<FilePath, _>")] pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct EmailConfig {
    #[serde(deserialize_with = "one::<Sender, _>")] pub from: String,
    #[serde(deserialize_with = "one::<VerificationName, _>")] pub verification: EmailVerification,
    #[serde(deserialize_with = "optional::<AddressOrPage, _>")] pub unsubscribe: Option<String>,
    #[serde(deserialize_with = "optional::<Any, _>")] pub user: Option<String>,
    #[serde(with = "hidden")] pub password: Option<SecretString>,
    #[serde(deserialize_with = "optional::<Any, _>")] pub client_id: Option<String>,
    #[serde(with = "hidden")] pub client_secret: Option<SecretString>,
    #[serde(with = "hidden")] pub refresh_token: Option<SecretString>,
    #[serde(deserialize_with = "one::<Page, _>")] pub token_url: String,
    #[serde(with = "hidden")] pub access_token: Option<SecretString>,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct PeersConfig {
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub auth: Option<String>,
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub product: Option<String>,
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub inventory: Option<String>,
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub cart: Option<String>,
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub order: Option<String>,
    #[serde(deserialize_with = "optional::<BaseUrl, _>")] pub payment: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct LogConfig {
    #[serde(deserialize_with = "one::<LogLevelName, _>")] pub level: LogLevel,
    #[serde(deserialize_with = "one::<LogFormatName, _>")] pub format: LogFormat,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct MailboxConfig {
    #[serde(deserialize_with = "one::<Flag, _>")] pub enabled: bool,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct PasswordsConfig {
    #[serde(deserialize_with = "whole::<0, 256, _, _>")] pub concurrency: usize,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct CartConfig {
    #[serde(deserialize_with = "one::<HumanDuration, _>")] pub idle: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct CatalogueConfig {
    #[serde(deserialize_with = "whole::<1, 65_536, _, _>")] pub snapshot_mib: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize, Validate)] #[garde(allow_unvalidated)]
pub struct WebhooksConfig {
    #[serde(deserialize_with = "one::<Flag, _>")] pub allow_private: bool,
    #[serde(deserialize_with = "durations::<1, 20, _>")] pub retry_delays: Vec<Duration>,
    #[serde(deserialize_with = "whole::<1, 1_000_000, _, _>")] pub switch_off_after: u32,
    #[serde(deserialize_with = "one::<HumanDuration, _>")] #[garde(custom(at_most("1m")))] pub timeout: Duration,
}

impl HttpConfig {
    /// How many request threads to start.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        if self.workers == 0 { cores() } else { self.workers }
    }
}

impl PasswordsConfig {
    /// How many passwords may be hashed at once: at least 1.
    #[must_use]
    pub fn hashers(&self) -> usize {
        if self.concurrency == 0 { (cores() / 2).max(1) } else { self.concurrency }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
