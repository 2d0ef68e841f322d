//! The environment of the process: its variables, flags and `config` folder.

use std::{collections::BTreeMap, path::PathBuf};

use super::{error::ConfigError, layers::Layer};

const PREFIX: &str = "MICROBAZAAR_";

/// Variables with the prefix that are not keys: the admin's password, the scripts' cache folder.
const RESERVED: [&str; 2] = ["MICROBAZAAR_ADMIN_PASSWORD", "MICROBAZAAR_CACHE"];

/// Variables with common names that other programs use as well.
const COMMON: [(&str, &str); 21] = [
    ("PORT", "http.port"),
    ("JWT_SECRET", "jwt_secret"),
    ("MONGO_URI", "mongo.uri"),
    ("RABBIT_URL", "rabbit.url"),
    ("REDIS_URL", "redis.url"),
    ("RAZORPAY_KEY_ID", "razorpay.key_id"),
    ("RAZORPAY_KEY_SECRET", "razorpay.key_secret"),
    ("RAZORPAY_WEBHOOK_SECRET", "razorpay.webhook_secret"),
    ("IMAGEKIT_PUBLIC_KEY", "imagekit.public_key"),
    ("IMAGEKIT_PRIVATE_KEY", "imagekit.private_key"),
    ("IMAGEKIT_URL_ENDPOINT", "imagekit.url_endpoint"),
    ("GOOGLE_API_KEY", "gemini.api_key"),
    ("SMTP_URL", "smtp.url"),
    ("EMAIL_FROM", "email.from"),
    ("EMAIL_USER", "email.user"),
    ("EMAIL_PASSWORD", "email.password"),
    ("EMAIL_CLIENT_ID", "email.client_id"),
    ("EMAIL_CLIENT_SECRET", "email.client_secret"),
    ("EMAIL_REFRESH_TOKEN", "email.refresh_token"),
    ("EMAIL_TOKEN_URL", "email.token_url"),
    ("EMAIL_ACCESS_TOKEN", "email.access_token"),
];

/// The only key with a meaning for an empty text: no queue at all.
pub(super) const NO_QUEUES: &str = "rabbit.consume";

/// The command line's values, which override everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// `--services`.
    pub services: Option<String>,
}

impl Overrides {
    pub(super) fn layers(&self) -> impl Iterator<Item = Layer> {
        let flags = [
            ("--host", "http.host", self.host.clone()),
            ("--port", "http.port", self.port.map(|port| port.to_string())),
            ("--data-dir", "data_dir", self.data_dir.clone()),
            ("--services", "services", self.services.clone()),
        ];
        flags.into_iter().filter_map(|(flag, key, value)| Some(Layer::single(flag, key, &value?)))
    }
}

/// The process's variables and its `config` folder.
#[derive(Clone, Default)]
pub struct Sources {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The folder whose files override the compiled-in ones.
    pub directory: Option<PathBuf>,
}

impl Sources {
    /// Those of this process.
    ///
    /// # Errors
    /// When one of the program's variables is not UTF-8.
    pub fn of_process() -> Result<Self, ConfigError> {
        let directory = PathBuf::from("config");
        let ours = |name: &str| name.starts_with(PREFIX) || COMMON.iter().any(|(common, _)| *common == name);
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| ours(name))?;
            let value = value.into_string().map_err(|_| ConfigError::new(&name, "is not UTF-8 text"));
            Some(value.map(|value| (name, value)))
        });
        let variables = variables.collect::<Result<_, _>>()?;
        Ok(Self { variables, directory: directory.is_dir().then_some(directory) })
    }

    /// These variables and no folder.
    #[must_use]
    pub fn of_variables<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: variables.into(), directory: None }
    }
    /// The set variables: those with common names, overridden by those with the prefix.
    pub(super) fn layers(&self) -> impl Iterator<Item = Layer> {
        let set = |name: &str| self.variables.get(name).filter(|value| !value.trim().is_empty());
        let common = COMMON.iter().filter_map(move |(name, key)| Some(Layer::single(name, key, set(name)?)));
        let named = self.variables.keys().filter(|name| !RESERVED.contains(&name.as_str()));
        let own = named.filter_map(move |name| {
            let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
            let value = if key == NO_QUEUES { self.variables.get(name) } else { set(name) };
            Some(Layer::single(name, &key, value?))
        });
        common.chain(own)
    }
}
