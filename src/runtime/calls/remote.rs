//! A service in another process, called over HTTP.
//!
//! Every call is a POST of one JSON object under [`ROOT`], with a service token, a deadline and a trace. The peer answers
//! 200 with the reply, or 409, 500 or 503 with a [`CallError`]; any other answer does not come from a peer. A call
//! is retried within its deadline where that is harmless, and a circuit breaker refuses it at once while the peer is
//! known to be unavailable.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use growing_backoff::Backoff;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{sync::Semaphore, time::Instant};

use super::{Call, CallError, Never, Outcome};
use crate::{
    config::Service,
    runtime::{breaker::Breaker, http_client},
    trace::{TRACEPARENT, Trace},
};

/// The path prefix of these calls. The gateway does not route to it.
pub const ROOT: &str = "/internal/v1";
/// The header with the time that the caller waits, in milliseconds.
pub const DEADLINE: &str = "x-deadline-ms";
/// The largest body of a call or an answer.
pub const BODY_MAX: usize = 8 << 20;
/// The call that every service answers as a health check; its full name starts with the service's name.
pub const PING: &str = "Ping";

/// Time limit for connecting. If it passes, the request was not sent.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long an idle connection is kept; the server keeps it longer.
const IDLE: Duration = Duration::from_secs(50);
/// Time limit for the answer to a ping.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// The most attempts of one call.
const TRIES: u32 = 3;
/// The pauses between attempts; jitter of up to 100 % is added.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(40), Duration::MAX);
/// The most concurrent calls to one peer.
const IN_FLIGHT: usize = 1_024;
/// How much earlier than its caller the callee gives up, so that its answer still arrives in time.
const WAY_BACK: Duration = Duration::from_millis(100);

/// Returns the current service token, or the reason why it cannot be signed.
pub type TokenSource = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// A service in another process.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    service: Service,
    base: String,
    client: reqwest::Client,
    token: TokenSource,
    breaker: Breaker,
    slots: Semaphore,
}

/// The answer to a ping.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pong {}

/// The data that all attempts of a call share.
struct Request {
    path: String,
    repeatable: bool,
    ends: Instant,
    body: Bytes,
}

/// Why an attempt failed.
#[derive(Debug)]
enum Failure<E> {
    /// The peer answered with this error.
    Answered(CallError<E>),
    /// The request did not reach the peer.
    NotSent(String),
    /// The peer may have handled the call, but its answer is not valid.
    Broken(String),
    /// The peer does not accept this call or this caller; another attempt would have the same result.
    NotAccepted(StatusCode),
    /// The peer did not answer in time.
    TimedOut,
    /// The breaker is open.
    BreakerOpen,
}

impl Peer {
    /// The HTTP client that all peers share, with its connection pool.
    ///
    /// # Errors
    /// When TLS cannot be initialized.
    pub fn client() -> Result<reqwest::Client, reqwest::Error> {
        // Calls between the platform's own processes use no proxy.
        http_client::builder().connect_timeout(CONNECT_WITHIN).pool_idle_timeout(IDLE).no_proxy().build()
    }

    #[must_use]
    pub fn new(service: Service, base: &str, client: reqwest::Client, token: TokenSource) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let (breaker, slots) = (Breaker::default(), Semaphore::new(IN_FLIGHT));
        Self(Arc::new(Inner { service, base, client, token, breaker, slots }))
    }

    /// The service that this peer runs.
    #[must_use]
    pub fn service(&self) -> Service {
        self.0.service
    }

    /// Whether the breaker considers the peer available.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.breaker.is_closed()
    }

    /// Sends a health check; its result updates [`Peer::is_up`].
    pub async fn ping(&self) -> bool {
        let path = format!("{ROOT}/{}.{PING}", self.0.service.name());
        let (body, ends) = (Bytes::from_static(b"{}"), Instant::now() + PING_WITHIN);
        let seen = self.0.attempt::<Pong, Never>(&Request { path, repeatable: true, ends, body }, false).await;
        if let Err(Failure::NotAccepted(status)) = seen {
            let peer = self.0.service.name();
            tracing::warn!(peer, %status, "the server at this peer's address does not accept the ping");
        }
        seen.is_ok()
    }

    /// Sends a call to the peer.
    ///
    /// # Errors
    /// The service's refusal, or the reason why the peer did not answer.
    pub async fn ask<C: Call>(&self, call: &C) -> Outcome<C> {
        let Ok(_slot) = self.0.slots.try_acquire() else { return Err(CallError::Busy(self.0.service.name().into())) };
        let body = serde_json::to_vec(call).map(Bytes::from).map_err(|error| {
            CallError::Internal(format!("the call {} cannot be written as JSON: {error}", C::name()))
        })?;
        let path = format!("{ROOT}/{}", C::name());
        let request = Request { path, repeatable: C::REPEATABLE, ends: Instant::now() + C::WITHIN, body };
        let mut tried = 1;
        loop {
            let failure = match self.0.attempt(&request, true).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = PAUSES.after(tried).mul_f32(1.0 + rand::random::<f32>());
            let again = tried < TRIES && failure.may_be_retried(&request) && Instant::now() + pause < request.ends;
            if !again {
                return Err(self.0.give_up(&request, failure));
            }
            tried += 1;
            tokio::time::sleep(pause).await;
        }
    }
}

impl Inner {
    /// The error of a call that is not retried; logs the reason.
    fn give_up<E>(&self, request: &Request, failure: Failure<E>) -> CallError<E> {
        let why = match &failure {
            Failure::Answered(_) | Failure::BreakerOpen => None,
            Failure::NotSent(why) | Failure::Broken(why) => Some(why.clone()),
            Failure::NotAccepted(status) => Some(format!("it answered {status}")),
            Failure::TimedOut => Some("it did not answer in time".to_owned()),
        };
        let service = self.service.name();
        if let Some(why) = why {
            let trace = Trace::current().map(Trace::id);
            tracing::warn!(peer = service, call = request.path, trace.id = trace, "a peer did not answer: {why}");
        }
        match failure {
            Failure::Answered(error) => error,
            Failure::NotSent(_) | Failure::NotAccepted(_) | Failure::BreakerOpen => {
                CallError::unavailable(self.service)
            }
            Failure::Broken(_) if request.repeatable => CallError::unavailable(self.service),
            Failure::Broken(_) | Failure::TimedOut => CallError::OutcomeUnknown(service.into()),
        }
    }

    /// One attempt. A successful ping (`counts` is false) does not reset the failure count of the breaker.
    async fn attempt<R, E>(&self, request: &Request, counts: bool) -> Result<R, Failure<E>>
    where
        R: DeserializeOwned,
        E: DeserializeOwned,
    {
        let pass = self.breaker.enter().ok_or(Failure::BreakerOpen)?;
        let answered = match tokio::time::timeout_at(request.ends, self.exchange(request)).await {
            Ok(answered) => answered.and_then(|(status, body)| read(status, &body)),
            Err(_) => Err(Failure::TimedOut),
        };
        match &answered {
            Ok(_) | Err(Failure::Answered(_)) => pass.succeeded(counts),
            Err(_) => pass.failed(),
        }
        answered
    }

    async fn exchange<E>(&self, request: &Request) -> Result<(StatusCode, Bytes), Failure<E>> {
        let token = (self.token)().map_err(Failure::NotSent)?;
        let left = request.ends.saturating_duration_since(Instant::now());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let millis = u64::try_from(left.saturating_sub(WAY_BACK).as_millis()).unwrap_or(u64::MAX);
        headers.insert(DEADLINE, HeaderValue::from(millis));
        if let Some(trace) = Trace::current()
            && let Ok(value) = HeaderValue::try_from(trace.child().to_string())
        {
            headers.insert(TRACEPARENT, value);
        }
        let url = format!("{}{}", self.base, request.path);
        let sent = self.client.post(url).bearer_auth(token).headers(headers).body(request.body.clone());
        let mut answer = sent.send().await.map_err(|error| failed(&error))?;
        let read = http_client::body(&mut answer, BODY_MAX).await.map_err(|error| failed(&error))?;
        let read = read.ok_or_else(|| Failure::Broken("its answer is too large".to_owned()))?;
        Ok((answer.status(), read))
    }
}

/// Parses an answer.
fn read<R: DeserializeOwned, E: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<R, Failure<E>> {
    match status {
        StatusCode::OK => serde_json::from_slice(body).map_err(|error| Failure::Broken(error.to_string())),
        StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR => {
            match serde_json::from_slice(body) {
                Ok(error) => Err(Failure::Answered(error)),
                Err(_) => Err(Failure::Broken(format!("it answered {status}"))),
            }
        }
        status if status.is_client_error() => Err(Failure::NotAccepted(status)),
        status => Err(Failure::Broken(format!("it answered {status}"))),
    }
}

fn failed<E>(error: &reqwest::Error) -> Failure<E> {
    let why = http_client::why(error);
    if error.is_connect() || error.is_builder() {
        return Failure::NotSent(format!("no connection: {why}"));
    }
    if error.is_timeout() { Failure::TimedOut } else { Failure::Broken(format!("the connection broke: {why}")) }
}

impl<E> Failure<E> {
    const fn may_be_retried(&self, request: &Request) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Answered(CallError::Unavailable(_)) | Self::Broken(_) => request.repeatable,
            Self::Answered(_) | Self::NotAccepted(_) | Self::TimedOut | Self::BreakerOpen => false,
        }
    }
}
