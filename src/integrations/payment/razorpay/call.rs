//! One call of Razorpay's API: its attempts, its deadline and the circuit breaker.
//!
//! Repeatable calls are tried up to [`TRIES`] times with backoff; calls that certainly had no effect (no connection,
//! 429, 409 while the same refund is in progress) may always be repeated. `Retry-After` is honoured within the call's
//! deadline.
//!
//! **Invariant:** a call ends within its deadline, and no error contains a secret.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use growing_backoff::Backoff;
use metrics::counter;
use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{sync::Semaphore, time::Instant};

use super::wire;
use crate::integrations::payment::GatewayError;
use crate::runtime::{breaker::Breaker, http_client};

/// The most attempts of a call.
pub(super) const TRIES: u32 = 4;
/// The most concurrent calls.
const IN_FLIGHT: usize = 256;
/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;
/// The header that makes a refund idempotent.
const REFUND_KEY: &str = "x-refund-idempotency";

/// The deadlines of calls to the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a read: one attempt, and all attempts together.
    pub read: (Duration, Duration),
    /// For capturing, which a buyer waits for after a read.
    pub capture: (Duration, Duration),
    /// For opening an order and for refunds, including their reads.
    pub write: (Duration, Duration),
    /// The pause before the second attempt, which then doubles; up to the same amount of jitter is added.
    pub pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |one, all| (Duration::from_secs(one), Duration::from_secs(all));
        Self { read: seconds(4, 5), capture: seconds(9, 9), write: seconds(10, 14), pause: Duration::from_millis(150) }
    }
}

/// A call of the API.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// The path below `/v1/`.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The idempotency key of a refund.
    pub(super) key: Option<String>,
    /// The deadline of one attempt.
    pub(super) each: Duration,
    /// Whether it may be repeated when its outcome is unknown.
    pub(super) repeatable: bool,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The gateway refused.
    Refused {
        /// The gateway's message.
        why: String,
        /// Whether because of the amount or the currency, which repeating does not change.
        of_money: bool,
    },
    /// The gateway does not know the entity.
    Unknown,
    /// The gateway is busy, with the pause that it asks for.
    Busy(Option<Duration>),
    /// The same call is in progress at the gateway.
    InProgress,
    /// The gateway refuses the key.
    LockedOut(StatusCode),
    /// The request was not sent.
    NotSent(String),
    /// The outcome is unknown.
    Unsure(String),
    /// The gateway is known to be unavailable.
    KnownAway,
}

impl CallFailure {
    pub(super) const fn is_unsure(&self) -> bool {
        matches!(self, Self::Unsure(_))
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Refused { .. } | Self::Unknown => "refused",
            Self::Busy(_) | Self::InProgress => "busy",
            Self::LockedOut(_) => "locked_out",
            Self::NotSent(_) => "not_sent",
            Self::Unsure(_) => "unsure",
            Self::KnownAway => "known_away",
        }
    }
}

impl From<CallFailure> for GatewayError {
    fn from(failure: CallFailure) -> Self {
        Self::Unavailable(match failure {
            CallFailure::Refused { why, .. } => return Self::Refused(why),
            CallFailure::Unknown => return Self::Unknown,
            CallFailure::Busy(_) => "it has too much to do".to_owned(),
            CallFailure::InProgress => "it is still at it".to_owned(),
            CallFailure::LockedOut(status) => {
                format!("it does not accept razorpay.key_id with razorpay.key_secret ({})", status.as_u16())
            }
            CallFailure::NotSent(why) | CallFailure::Unsure(why) => why,
            CallFailure::KnownAway => "it has not answered lately".to_owned(),
        })
    }
}

/// The API at one URL, with one key.
pub(super) struct Api {
    base: String,
    key_id: String,
    secret: SecretString,
    client: reqwest::Client,
    breaker: Breaker,
    locked_out: AtomicBool,
    slots: Semaphore,
    pause: Duration,
}

impl Api {
    pub(super) fn new(
        base: &str,
        key_id: String,
        secret: SecretString,
        client: reqwest::Client,
        pause: Duration,
    ) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            key_id,
            secret,
            client,
            breaker: Breaker::default(),
            locked_out: AtomicBool::new(false),
            slots: Semaphore::new(IN_FLIGHT),
            pause,
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether the gateway is neither known to be unavailable nor refuses the key.
    pub(super) fn is_up(&self) -> bool {
        self.breaker.is_closed() && !self.is_locked_out()
    }

    /// Whether the gateway refused the key in the last call.
    pub(super) fn is_locked_out(&self) -> bool {
        self.locked_out.load(Ordering::Relaxed)
    }

    /// Makes a call, with as many attempts as its kind and the deadline `ends` allow.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, CallFailure> {
        let mut tried = 1;
        loop {
            let failure = match self.attempt(call, ends).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let repeat = call.repeatable || !failure.is_unsure();
            match self.pause_before(tried, &failure, ends).filter(|_| repeat) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(self.logged(call, failure)),
            }
            tried += 1;
        }
    }

    /// The pause before another attempt, if one makes sense.
    pub(super) fn pause_before(&self, tried: u32, failure: &CallFailure, ends: Instant) -> Option<Duration> {
        let asked = match failure {
            CallFailure::Busy(asked) => asked.unwrap_or_default(),
            CallFailure::InProgress | CallFailure::NotSent(_) | CallFailure::Unsure(_) => Duration::ZERO,
            CallFailure::Refused { .. } | CallFailure::Unknown | CallFailure::LockedOut(_) | CallFailure::KnownAway => {
                return None;
            }
        };
        let pause = Backoff::new(self.pause, Duration::MAX).after(tried);
        let pause = pause.mul_f32(1.0 + rand::random::<f32>()).max(asked);
        (tried < TRIES && Instant::now() + pause < ends).then_some(pause)
    }

    /// Logs why a call was given up.
    pub(super) fn logged(&self, call: &Call, failure: CallFailure) -> CallFailure {
        match &failure {
            CallFailure::Refused { why, .. } => tracing::debug!(call = call.name, "the payment gateway refused: {why}"),
            CallFailure::Unknown | CallFailure::KnownAway | CallFailure::LockedOut(_) => {}
            CallFailure::Busy(_) | CallFailure::InProgress => {
                tracing::warn!(call = call.name, "the payment gateway is busy");
            }
            CallFailure::NotSent(why) | CallFailure::Unsure(why) => {
                tracing::warn!(call = call.name, "a call to the payment gateway failed: {why}");
            }
        }
        failure
    }

    /// One attempt.
    pub(super) async fn attempt<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, CallFailure> {
        let begun = Instant::now();
        let tried = self.past_the_breaker(call, ends.min(begun + call.each)).await;
        let outcome = tried.as_ref().map_or_else(CallFailure::word, |_| "done");
        counter!("gateway_calls_total", "call" => call.name, "outcome" => outcome).increment(1);
        tracing::debug!(call = call.name, outcome, took = ?begun.elapsed(), "the payment gateway was called");
        tried
    }

    async fn past_the_breaker<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, CallFailure> {
        let Ok(_slot) = self.slots.try_acquire() else { return Err(CallFailure::Busy(None)) };
        let pass = self.breaker.enter().ok_or(CallFailure::KnownAway)?;
        let answered = match tokio::time::timeout_at(ends, self.exchange(call)).await {
            Ok(answered) => answered.and_then(|answer| self.read(&answer)),
            Err(_) => Err(CallFailure::Unsure("it did not answer in time".to_owned())),
        };
        match &answered {
            Err(CallFailure::NotSent(_) | CallFailure::Unsure(_)) => pass.failed(),
            Err(CallFailure::Busy(_)) => pass.succeeded(false),
            answered => {
                pass.succeeded(true);
                self.let_in(answered);
            }
        }
        answered
    }

    /// Records whether the gateway accepts the key.
    fn let_in<T>(&self, answered: &Result<T, CallFailure>) {
        let locked_out = matches!(answered, Err(CallFailure::LockedOut(_)));
        if self.locked_out.swap(locked_out, Ordering::Relaxed) != locked_out {
            if locked_out {
                tracing::error!("the payment gateway refuses the key: check razorpay.key_id and razorpay.key_secret");
            } else {
                tracing::info!("the payment gateway accepts the key again");
            }
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, CallFailure> {
        let url = format!("{}/v1/{}", self.base, call.path);
        let mut request = self.client.request(call.method.clone(), url);
        request = request.basic_auth(&self.key_id, Some(self.secret.expose_secret()));
        if let Some(key) = &call.key {
            request = request.header(REFUND_KEY, key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(|error| failure(&error))?;
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = http_client::body(&mut answer, ANSWER_MAX).await.map_err(|error| failure(&error))?;
        let body = body.ok_or_else(|| CallFailure::Unsure("its answer is too large".to_owned()))?;
        Ok(Answer { status: answer.status(), after: after.map(Duration::from_secs), body })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, CallFailure> {
        let logged = || {
            // An answer that repeats the secret is not repeated.
            let logged = wire::description(&answer.body);
            logged.filter(|logged| !logged.contains(self.secret.expose_secret()))
        };
        match answer.status {
            status if status.is_success() => serde_json::from_slice(&answer.body)
                .map_err(|_| CallFailure::Unsure("its answer cannot be read".to_owned())),
            StatusCode::TOO_MANY_REQUESTS => Err(CallFailure::Busy(answer.after)),
            StatusCode::CONFLICT => Err(CallFailure::InProgress),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CallFailure::LockedOut(answer.status)),
            StatusCode::NOT_FOUND => Err(CallFailure::Unknown),
            StatusCode::REQUEST_TIMEOUT => {
                Err(CallFailure::Unsure("it did not get the whole request in time".to_owned()))
            }
            status if status.is_client_error() => match logged() {
                Some(logged) if logged.contains("does not exist") => Err(CallFailure::Unknown),
                logged => {
                    let of_money = status == StatusCode::BAD_REQUEST && wire::is_about_money(&answer.body);
                    let why = logged.unwrap_or_else(|| format!("it answered {}", status.as_u16()));
                    Err(CallFailure::Refused { why, of_money })
                }
            },
            status => Err(CallFailure::Unsure(format!("it answered {}", status.as_u16()))),
        }
    }
}

struct Answer {
    status: StatusCode,
    after: Option<Duration>,
    body: Bytes,
}

fn failure(error: &reqwest::Error) -> CallFailure {
    let why = http_client::why(error);
    match error {
        error if error.is_connect() => CallFailure::NotSent(format!("no connection: {why}")),
        error if error.is_builder() => CallFailure::NotSent("the request cannot be written".to_owned()),
        error if error.is_timeout() => CallFailure::Unsure("it did not answer in time".to_owned()),
        _ => CallFailure::Unsure(format!("the connection broke: {why}")),
    }
}
