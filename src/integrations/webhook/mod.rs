//! Sends signed messages to URLs that users configured.
//!
//! Redirects are not followed: a message that was signed for one URL is not for another, and the other URL was not
//! checked. Only the beginning of an answer is read.
//!
//! **Invariant:** no call outlasts its deadline, whatever the receiver does.

pub mod address;
pub mod signature;

use std::{sync::Arc, time::Duration};

use address::{PublicOnly, UrlRules};

use crate::runtime::http_client;

/// How much of an answer's body is stored, in bytes.
pub const RESPONSE_MAX: usize = 1_024;
/// The program's user agent.
const USER_AGENT: &str = concat!("microBazaar/", env!("CARGO_PKG_VERSION"));
/// The most idle connections to one receiver.
const IDLE_PER_HOST: usize = 2;
/// How long they stay open.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The destination.
    pub url: &'a str,
    /// The message id, the same at each attempt.
    pub id: &'a str,
    /// The current time in seconds.
    pub timestamp: i64,
    /// The event's name.
    pub event: &'a str,
    /// JSON.
    pub body: &'a str,
    /// The secrets that sign it, the current one first.
    pub secrets: &'a [&'a str],
}

/// A receiver's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
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
    /// A client that calls only what `rules` allow and gives up after `within`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
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

    /// The rules for URLs.
    #[must_use]
    pub const fn rules(&self) -> UrlRules {
        self.rules
    }

    /// Sends a message; any HTTP status counts as an answer.
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
        let mut response = request.send().await.map_err(|error| reason_of(&error))?;
        let status = response.status().as_u16();
        let mut read = Vec::new();
        // An answer whose body is truncated or never ends still counts.
        while read.len() < RESPONSE_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read.extend_from_slice(&chunk[..chunk.len().min(RESPONSE_MAX - read.len())]);
        }
        Ok(Answer { status, body: String::from_utf8_lossy(&read).into_owned() })
    }
}

/// The innermost cause, without the URL, which may contain secrets.
fn reason_of(error: &reqwest::Error) -> String {
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
