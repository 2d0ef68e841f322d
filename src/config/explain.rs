//! The configuration as text, for `microbazaar config check` and the first lines of `serve`.
//!
//! **Invariant:** a secret is `(set)` or `(not set)`, never itself.

use std::fmt::Write;

use figment::{Figment, value::Value};

use super::{
    Config,
    fields::{
        hidden::{NOT_SET, SET},
        scalar,
    },
    layers,
    sources::NO_QUEUES,
};

/// A key, its value as it may be shown, and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key.
    pub key: String,
    /// The value; `(set)` for a secret.
    pub shown: String,
    /// `default`, a file, a variable or a flag.
    pub origin: String,
}

/// Every setting of `config`, with the texts of `merged`.
///
/// Secrets are recognised by their types, which serialize as `(set)` or `(not set)`; keys that no type has are left
/// out.
pub(super) fn settings(config: &Config, merged: &Figment) -> Vec<Setting> {
    let Ok(fields) = Value::serialize(config) else { return vec![] };
    let setting = |key: String| {
        let field = fields.find_ref(&key)?;
        let shown = match field.as_str() {
            Some(word @ (SET | NOT_SET)) => word.to_owned(),
            // A single service has its own default port.
            _ if key == "http.port" => config.http.port.to_string(),
            _ => shown(&key, &merged.find_value(&key).ok()?),
        };
        Some(Setting { shown, origin: layers::origin(merged, &key).unwrap_or_default(), key })
    };
    layers::known().into_iter().filter_map(setting).collect()
}

fn shown(key: &str, value: &Value) -> String {
    let items = value.as_array().map(|items| items.iter().filter_map(scalar).collect::<Vec<_>>().join(", "));
    let is_list = items.is_some() || key == NO_QUEUES;
    match items.or_else(|| scalar(value)).filter(|text| !text.is_empty()) {
        Some(text) => text,
        None if is_list => "(none)".to_owned(),
        None => NOT_SET.to_owned(),
    }
}

/// The embedded parts in use.
pub(super) fn embedded(config: &Config) -> Vec<(&'static str, String)> {
    let folder = config.data_dir.display();
    let mails = match (config.smtp.url.is_some(), config.mailbox.enabled) {
        (true, false) => "SMTP, from a delivery log",
        (true, true) => "SMTP, from a delivery log shown at /dev/mailbox",
        (false, true) => "a mailbox, shown at /dev/mailbox",
        (false, false) => "none are sent",
    };
    let events =
        if config.rabbit.url.is_some() { "RabbitMQ, from an outbox" } else { "within the process, from an outbox" };
    let shared = config.mongo.uri.is_some();
    let here = |what: &str| if shared { "MongoDB".to_owned() } else { format!("{what} in {folder}") };
    let pictures = match config.imagekit.private_key {
        Some(_) => format!("ImageKit, and {} until they are there", here("files")),
        None => here("files"),
    };
    let rates = if config.redis.url.is_some() { "Redis, or else within the process" } else { "within the process" };
    let model = config.language_model().ok().flatten();
    let assistant = model.map_or("rules, without a language model".to_owned(), |model| {
        format!("{} of {}, or else rules", model.model, model.provider.name())
    });
    vec![
        ("documents", here("SQLite")),
        ("events", events.into()),
        ("rate limits", rates.into()),
        ("pictures", pictures),
        ("payments", if config.razorpay.key_id.is_some() { "Razorpay" } else { "a sandbox gateway" }.into()),
        ("mails", mails.into()),
        ("assistant", assistant),
    ]
}

impl Config {
    /// One line for each setting, with its source, and then the embedded parts.
    #[must_use]
    pub fn explain(&self, settings: &[Setting]) -> String {
        let mut text = String::new();
        let width = settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
        for Setting { key, shown, origin } in settings {
            let made = key == "jwt_secret" && self.jwt_secret.is_none();
            let shown = if made { "(made once and kept in data_dir)" } else { shown.as_str() };
            let origin = if origin == layers::DEFAULT { String::new() } else { format!("  # {origin}") };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{key:width$} = {shown}{origin}");
        }
        let _ = writeln!(text, "\nembedded parts:");
        for (what, which) in self.embedded() {
            let _ = writeln!(text, "  {what:11} {which}");
        }
        text
    }
}
