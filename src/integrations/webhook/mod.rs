//! Sends signed messages to addresses that users gave.
//!
//! A redirect is an answer that does not count: what was signed for one address is not for
//! another, and the other was not looked at. Of an answer only the beginning is read.
//!
//! **Invariant:** no call takes longer than its deadline, whatever the receiver does.

pub mod address;
pub mod signature;

use std::{sync::Arc, time::Duration};

use address::{PublicOnly, UrlRules};

use crate::runtime::http_client;

/// How much of an answer's body is kept, in bytes.
pub const RESPONSE_MAX: usize = 1_024;
/// What the program calls itself.
const USER_AGENT: &str = concat!("microBazaar/", env!("CARGO_PKG_VERSION"));
/// Connections to one receiver that are kept open.
const IDLE_PER_HOST: usize = 2;
/// How long they are.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Where to.
    pub url: &'a str,
    /// The same at each try.
    pub id: &'a str,
    /// Now, in seconds.
    pub timestamp: i64,
    /// The event's name.
    pub event: &'a str,
    /// JSON.
    pub body: &'a str,
    /// Sign it, the current one first.
    pub secrets: &'a [&'a str],
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The beginning of its body.
    pub body: String,
}

/// Sends messages.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    client: reqwest::Client,
    rules: UrlRules,
    within: Duration,
}

impl WebhookClient {
    /// A client that calls what `rules` allow and gives up after `within`.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn new(rules: UrlRules, within: Duration) -> Result<Self, reqwest::Error> {
        let client = http_client::builder()
            .no_proxy()
            .dns_resolver(Arc::new(PublicOnly { allow_private: rules.allow_private }))
            .user_agent(USER_AGENT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
            .timeout(within)
            .build()?;
        Ok(Self { client, rules, within })
    }

    /// What may be called.
    #[must_use]
    pub const fn rules(&self) -> UrlRules {
        self.rules
    }

    /// Sends a message; any status is an answer.
    ///
    /// # Errors
    /// Why there is no answer, for the owner of the webhook.
    pub async fn post(&self, message: &Message<'_>) -> Result<Answer, String> {
        let url = address::read(message.url, self.rules).map_err(|error| format!("the URL {error}"))?;
        let sent = tokio::time::timeout(self.within, self.send(url, message)).await;
        sent.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn send(&self, url: reqwest::Url, message: &Message<'_>) -> Result<Answer, String> {
        let body = message.body.as_bytes();
        let current = message.secrets.first().copied().unwrap_or_default();
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", signature::standard(message.secrets, message.id, message.timestamp, body))
            .header("x-microbazaar-signature", signature::plain(current, body))
            .header("x-microbazaar-event", message.event)
            .body(message.body.to_owned());
        let mut response = request.send().await.map_err(|error| told(&error))?;
        let status = response.status().as_u16();
        let mut read = Vec::new();
        // An answer whose body breaks off or never ends is an answer all the same.
        while read.len() < RESPONSE_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read.extend_from_slice(&chunk[..chunk.len().min(RESPONSE_MAX - read.len())]);
        }
        Ok(Answer { status, body: String::from_utf8_lossy(&read).into_owned() })
    }
}

/// The innermost cause, without the URL, which may hold what is not for a log.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    let text: String = cause.to_string().chars().take(200).collect();
    format!("{what}: {text}")
}

#[cfg(test)]
mod tests;
