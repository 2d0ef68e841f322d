//! The settings of a shop of tests, as an operator gives them: by variables.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use microbazaar::{
    config::{Config, Overrides, Sources},
    domain::ids::UserId,
};

use crate::{Folder, program, rabbit::Vhost, razorpay};

/// Signs the tokens of every test.
pub const SECRET: &str = "a secret of thirty-two bytes, or so";
/// Signs the gateway's reports, where the gateway is the sandbox.
pub const WEBHOOK_SECRET: &str = "a webhook secret of some length, too";
/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

/// Variables, and a folder that is gone after the test: shops with clones of one share it.
#[derive(Debug, Clone)]
pub struct Settings {
    variables: BTreeMap<String, String>,
    folder: Arc<Folder>,
    /// The vhost of the broker that only this shop uses.
    pub vhost: Option<Arc<Vhost>>,
}

impl Settings {
    /// The usual ones: a free port, no limits by rate, embedded parts.
    #[allow(clippy::new_without_default, reason = "a folder is made")]
    pub fn new() -> Self {
        let folder = Arc::new(Folder::new());
        let data = folder.0.join("data").display().to_string();
        Self { variables: BTreeMap::new(), folder, vhost: None }
            .set("JWT_SECRET", SECRET)
            .set("PORT", "0")
            .set("MICROBAZAAR_DATA_DIR", &data)
            .set("MICROBAZAAR_LOG__LEVEL", "error")
            .set("MICROBAZAAR_RATE_LIMIT__ENABLED", "false")
            .set("MICROBAZAAR_HTTP__WORKERS", "2")
            .set("MICROBAZAAR_PASSWORDS__CONCURRENCY", "2")
    }

    #[must_use]
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.variables.insert(variable.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn set_all<'a>(self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        variables.into_iter().fold(self, |settings, (variable, value)| settings.set(variable, value))
    }

    /// Documents in databases with this prefix.
    #[must_use]
    pub fn mongo(self, uri: &str, prefix: &str) -> Self {
        self.set("MONGO_URI", uri).set("MICROBAZAAR_MONGO__DATABASE_PREFIX", prefix)
    }

    /// Events over a broker.
    #[must_use]
    pub fn rabbit(self, url: &str) -> Self {
        self.set("RABBIT_URL", url)
    }

    /// What nodes share, under keys of its own.
    #[must_use]
    pub fn redis(self, url: &str) -> Self {
        let prefix = format!("test:{}:", UserId::generate());
        self.set("REDIS_URL", url).set("MICROBAZAAR_REDIS__PREFIX", &prefix)
    }

    /// Paid by this gateway.
    #[must_use]
    pub fn razorpay(self, gateway: &razorpay::StandIn) -> Self {
        gateway.variables().into_iter().fold(self, |settings, (name, value)| settings.set(name, &value))
    }

    /// Mails by a server, those that are put off tried again within the test, and none to confirm an address.
    #[must_use]
    pub fn smtp(self, url: &str) -> Self {
        let from = "The Shop <shop@shop.example>";
        self.set("SMTP_URL", url)
            .set("EMAIL_FROM", from)
            .set("MICROBAZAAR_EMAIL__VERIFICATION", "off")
            .set("MICROBAZAAR_RABBIT__RETRY_DELAYS", "100ms,200ms,400ms,800ms")
    }

    pub fn config(&self) -> Config {
        let mut sources = Sources::of_variables([]);
        sources.variables.extend(self.variables.clone());
        Config::load_from(&sources, &Overrides::default()).unwrap()
    }

    /// The real program with these settings and nothing else from its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env_clear().envs(&self.variables).current_dir(&self.folder.0).args(arguments).stdin(Stdio::null());
        command
    }

    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The folder of the shop's data within the test's own, which is made.
    pub fn data(&self) -> PathBuf {
        let data = self.folder.0.join("data");
        std::fs::create_dir_all(&data).unwrap();
        data
    }
}
