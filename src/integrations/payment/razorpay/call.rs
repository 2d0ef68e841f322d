//! One call of Razorpay's API: its tries, its deadline and its way past the breaker.
//!
//! What may be repeated is tried up to [`TRIES`] times with growing pauses; what was surely
//! not done (no connection, 429, 409 while the same refund is under way) may always be
//! repeated. `Retry-After` is honoured as far as the call's time reaches.
//!
//! **Invariant:** a call ends within its time, and nothing that it says holds a secret.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use metrics::counter;
use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{sync::Semaphore, time::Instant};

use super::wire;
use crate::integrations::payment::GatewayError;
use crate::runtime::{breaker::Breaker, http_client};

/// How often a call is tried at most.
pub(super) const TRIES: u32 = 4;
/// Calls on their way at once.
const IN_FLIGHT: usize = 256;
/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;
/// The header that makes a refund happen once.
const REFUND_KEY: &str = "x-refund-idempotency";

/// How long the gateway may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A read's one try, and all its tries together.
    pub read: (Duration, Duration),
    /// As `read`, for capturing, which a buyer waits for after a read.
    pub capture: (Duration, Duration),
    /// As `read`, for opening an order and giving money back, with the reads that go along.
    pub write: (Duration, Duration),
    /// The pause before the second try, which doubles; up to as much again is added by chance.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = |one, all| (Duration::from_secs(one), Duration::from_secs(all));
        Self { read: seconds(4, 5), capture: seconds(9, 9), write: seconds(10, 14), pause: Duration::from_millis(150) }
    }
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// Below `/v1/`.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The idempotency key of a refund.
    pub(super) key: Option<String>,
    /// How long one try may take.
    pub(super) each: Duration,
    /// Whether it may be asked again when nobody knows whether it was done.
    pub(super) repeatable: bool,
}

/// Why a try came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The gateway says no.
    Refused {
        /// In its words.
        why: String,
        /// Whether to the amount or the currency, which asking again does not change.
        of_money: bool,
    },
    /// It does not know what is meant.
    Unknown,
    /// It asks for patience.
    Busy(Option<Duration>),
    /// It is doing the same thing at this moment.
    InProgress,
    /// It does not let this key in.
    LockedOut(StatusCode),
    /// Nothing reached it.
    NotSent(String),
    /// It may have been done.
    Unsure(String),
    /// It is known to be away.
    KnownAway,
}

impl Trouble {
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

impl From<Trouble> for GatewayError {
    fn from(trouble: Trouble) -> Self {
        Self::Unavailable(match trouble {
            Trouble::Refused { why, .. } => return Self::Refused(why),
            Trouble::Unknown => return Self::Unknown,
            Trouble::Busy(_) => "it has too much to do".to_owned(),
            Trouble::InProgress => "it is still at it".to_owned(),
            Trouble::LockedOut(status) => {
                format!("it does not accept razorpay.key_id with razorpay.key_secret ({})", status.as_u16())
            }
            Trouble::NotSent(why) | Trouble::Unsure(why) => why,
            Trouble::KnownAway => "it has not answered lately".to_owned(),
        })
    }
}

/// The API at one address, by one key.
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

    /// Whether it is neither known to be away nor refuses the key.
    pub(super) fn is_up(&self) -> bool {
        self.breaker.is_closed() && !self.is_locked_out()
    }

    /// Whether it refused the key when it was asked last.
    pub(super) fn is_locked_out(&self) -> bool {
        self.locked_out.load(Ordering::Relaxed)
    }

    /// Does a call, with as many tries as its kind and `ends` allow.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, Trouble> {
        let mut tried = 1;
        loop {
            let trouble = match self.attempt(call, ends).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let repeat = call.repeatable || !trouble.is_unsure();
            match self.pause_before(tried, &trouble, ends).filter(|_| repeat) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(self.told(call, trouble)),
            }
            tried += 1;
        }
    }

    /// How long to wait before another try, if one has a point.
    pub(super) fn pause_before(&self, tried: u32, trouble: &Trouble, ends: Instant) -> Option<Duration> {
        let asked = match trouble {
            Trouble::Busy(asked) => asked.unwrap_or_default(),
            Trouble::InProgress | Trouble::NotSent(_) | Trouble::Unsure(_) => Duration::ZERO,
            Trouble::Refused { .. } | Trouble::Unknown | Trouble::LockedOut(_) | Trouble::KnownAway => return None,
        };
        let pause = self.pause * 2_u32.saturating_pow(tried - 1);
        let pause = (pause + pause.mul_f32(rand::random())).max(asked);
        (tried < TRIES && Instant::now() + pause < ends).then_some(pause)
    }

    /// Says in the log why a call was given up.
    pub(super) fn told(&self, call: &Call, trouble: Trouble) -> Trouble {
        match &trouble {
            Trouble::Refused { why, .. } => tracing::debug!(call = call.name, "the payment gateway refused: {why}"),
            Trouble::Unknown | Trouble::KnownAway | Trouble::LockedOut(_) => {}
            Trouble::Busy(_) | Trouble::InProgress => {
                tracing::warn!(call = call.name, "the payment gateway has too much to do");
            }
            Trouble::NotSent(why) | Trouble::Unsure(why) => {
                tracing::warn!(call = call.name, "the payment gateway did not do it: {why}");
            }
        }
        trouble
    }

    /// One try.
    pub(super) async fn attempt<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, Trouble> {
        let begun = Instant::now();
        let tried = self.past_the_breaker(call, ends.min(begun + call.each)).await;
        let outcome = tried.as_ref().map_or_else(Trouble::word, |_| "done");
        counter!("gateway_calls_total", "call" => call.name, "outcome" => outcome).increment(1);
        tracing::debug!(call = call.name, outcome, took = ?begun.elapsed(), "the payment gateway was called");
        tried
    }

    async fn past_the_breaker<T: DeserializeOwned>(&self, call: &Call, ends: Instant) -> Result<T, Trouble> {
        let Ok(_slot) = self.slots.try_acquire() else { return Err(Trouble::Busy(None)) };
        let pass = self.breaker.enter().ok_or(Trouble::KnownAway)?;
        let answered = match tokio::time::timeout_at(ends, self.exchange(call)).await {
            Ok(answered) => answered.and_then(|answer| self.read(&answer)),
            Err(_) => Err(Trouble::Unsure("it did not answer in time".to_owned())),
        };
        match &answered {
            Err(Trouble::NotSent(_) | Trouble::Unsure(_)) => pass.failed(),
            Err(Trouble::Busy(_)) => pass.succeeded(false),
            answered => {
                pass.succeeded(true);
                self.let_in(answered);
            }
        }
        answered
    }

    /// Keeps in mind whether the key is good.
    fn let_in<T>(&self, answered: &Result<T, Trouble>) {
        let locked_out = matches!(answered, Err(Trouble::LockedOut(_)));
        if self.locked_out.swap(locked_out, Ordering::Relaxed) != locked_out {
            if locked_out {
                tracing::error!("the payment gateway lets nobody in: see razorpay.key_id and razorpay.key_secret");
            } else {
                tracing::info!("the payment gateway accepts the key again");
            }
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Trouble> {
        let url = format!("{}/v1/{}", self.base, call.path);
        let mut request = self.client.request(call.method.clone(), url);
        request = request.basic_auth(&self.key_id, Some(self.secret.expose_secret()));
        if let Some(key) = &call.key {
            request = request.header(REFUND_KEY, key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(|error| trouble(&error))?;
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = http_client::body(&mut answer, ANSWER_MAX).await.map_err(|error| trouble(&error))?;
        let body = body.ok_or_else(|| Trouble::Unsure("its answer is too large".to_owned()))?;
        Ok(Answer { status: answer.status(), after: after.map(Duration::from_secs), body })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Trouble> {
        let told = || {
            // A gateway that repeats what it was given is not repeated.
            let told = wire::description(&answer.body);
            told.filter(|told| !told.contains(self.secret.expose_secret()))
        };
        match answer.status {
            status if status.is_success() => serde_json::from_slice(&answer.body)
                .map_err(|_| Trouble::Unsure("its answer cannot be read".to_owned())),
            StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Busy(answer.after)),
            StatusCode::CONFLICT => Err(Trouble::InProgress),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::LockedOut(answer.status)),
            StatusCode::NOT_FOUND => Err(Trouble::Unknown),
            StatusCode::REQUEST_TIMEOUT => Err(Trouble::Unsure("it did not get the whole request in time".to_owned())),
            status if status.is_client_error() => match told() {
                Some(told) if told.contains("does not exist") => Err(Trouble::Unknown),
                told => {
                    let of_money = status == StatusCode::BAD_REQUEST && wire::is_about_money(&answer.body);
                    let why = told.unwrap_or_else(|| format!("it answered {}", status.as_u16()));
                    Err(Trouble::Refused { why, of_money })
                }
            },
            status => Err(Trouble::Unsure(format!("it answered {}", status.as_u16()))),
        }
    }
}

struct Answer {
    status: StatusCode,
    after: Option<Duration>,
    body: Bytes,
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let why = http_client::why(error);
    match error {
        error if error.is_connect() => Trouble::NotSent(format!("no connection: {why}")),
        error if error.is_builder() => Trouble::NotSent("the request cannot be written".to_owned()),
        error if error.is_timeout() => Trouble::Unsure("it did not answer in time".to_owned()),
        _ => Trouble::Unsure(format!("the connection broke: {why}")),
    }
}
