//! Access tokens for XOAUTH2.
//!
//! A token is cached until shortly before it expires, or until the mail server refuses it. One call fetches it while
//! others wait.
//!
//! **Invariant:** no error or log line contains a token, client secret or refresh token.

use std::time::{Duration, Instant};

use reqwest::{Url, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{MailError, one_line};
use crate::{config::TokenSource, runtime::http_client};

/// How long fetching a token may take.
const FETCH_WITHIN: Duration = Duration::from_secs(6);
/// How long before its expiry a token is no longer used.
const SPARE: Duration = Duration::from_secs(60);
/// The lifetime of a token if the answer has none.
const USUAL_SECONDS: u64 = 3_600;
/// The longest answer that is read.
const ANSWER_MAX: usize = 64 * 1024;

/// Fetches and caches access tokens.
pub(super) struct Tokens {
    source: TokenSource,
    client: reqwest::Client,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: SecretString,
    until: Instant,
}

/// A token, and whether it came from the cache.
pub(super) struct Token {
    pub(super) secret: SecretString,
    pub(super) was_kept: bool,
}

/// The answer of a token endpoint.
#[derive(serde::Deserialize)]
struct Answer {
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
    error: Option<String>,
}

impl Tokens {
    pub(super) fn new(source: TokenSource) -> Result<Self, reqwest::Error> {
        // Calls are about an hour apart, so no connection is kept: it belongs to the runtime that opened it, which
        // may have ended by then.
        let client = http_client::builder().timeout(FETCH_WITHIN).pool_max_idle_per_host(0).build()?;
        Ok(Self { source, client, kept: Mutex::default() })
    }

    /// A token that should be valid.
    pub(super) async fn get(&self) -> Result<Token, MailError> {
        if let TokenSource::Fixed(token) = &self.source {
            return Ok(Token { secret: token.clone(), was_kept: false });
        }
        let mut kept = self.kept.lock().await;
        if let Some(Kept { token, until }) = &*kept
            && Instant::now() < *until
        {
            return Ok(Token { secret: token.clone(), was_kept: true });
        }
        let (secret, lives) = self.fetch().await.map_err(|problem| {
            tracing::error!(%problem, "no access token for the mail server; check the email keys");
            MailError::Temporary(problem)
        })?;
        *kept = Some(Kept { token: secret.clone(), until: Instant::now() + lives.saturating_sub(SPARE) });
        Ok(Token { secret, was_kept: false })
    }

    /// Removes `token` from the cache, because it was refused.
    pub(super) async fn forget(&self, token: &SecretString) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token.expose_secret() == token.expose_secret()) {
            *kept = None;
        }
    }

    async fn fetch(&self) -> Result<(SecretString, Duration), String> {
        let TokenSource::Refreshed { url, client_id, client_secret, refresh_token } = &self.source else {
            return Err("there is nothing to fetch".to_owned());
        };
        let form = form(&[
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose_secret()),
            ("refresh_token", refresh_token.expose_secret()),
        ]);
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let away = |error: reqwest::Error| format!("the token endpoint is away: {}", error.without_url());
        let mut response = request.send().await.map_err(away)?;
        let (status, body) = (response.status(), http_client::body(&mut response, ANSWER_MAX).await.map_err(away)?);
        let body = body.ok_or_else(|| "the token endpoint's answer is too long".to_owned())?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| format!("the token endpoint answered {} and no JSON", status.as_u16()))?;
        match answer.access_token.filter(|_| status.is_success()) {
            Some(token) if is_token(token.expose_secret()) => {
                Ok((token, Duration::from_secs(answer.expires_in.unwrap_or(USUAL_SECONDS).min(24 * 3_600))))
            }
            _ => {
                // Only its code, such as `invalid_grant`; the rest may repeat the request.
                let is_code = |text: &String| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let code = answer.error.filter(|code| code.len() <= 60 && is_code(code)).unwrap_or_default();
                Err(one_line(&format!("the token endpoint answered {} {code}", status.as_u16())).trim_end().to_owned())
            }
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

/// The pairs as a form.
fn form(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("http://form.invalid/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}
