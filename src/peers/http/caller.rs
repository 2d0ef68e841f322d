//! One call: its tries, its deadline and its way past the breaker.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::Semaphore, time::Instant};

use super::ServiceToken;
use crate::{
    peers::{
        PeerError,
        wire::{self, BODY_MAX, Call, DEADLINE, Failure},
    },
    runtime::{breaker::Breaker, http_client},
    trace::{TRACEPARENT, Trace},
};

/// How often a call is tried at most.
const TRIES: u32 = 3;
/// The pause before the second try, which doubles; up to as much again is added by chance.
const PAUSE: Duration = Duration::from_millis(40);
/// Calls on their way to one peer at once.
const IN_FLIGHT: usize = 1_024;
/// How much earlier than its caller a callee gives up, so that its word still arrives.
const WAY_BACK: Duration = Duration::from_millis(100);

/// Calls one peer.
pub struct Caller {
    service: &'static str,
    base: String,
    client: reqwest::Client,
    token: Arc<ServiceToken>,
    breaker: Breaker,
    slots: Semaphore,
}

/// How a try went wrong.
#[derive(Debug)]
enum Trouble {
    /// The peer said so itself.
    Told(Failure),
    /// Nothing reached it.
    NotSent(String),
    /// It may have done it; what came back was not a peer's answer.
    Broken(String),
    /// It does not know this call or this caller: another try would end alike.
    Misled(StatusCode),
    /// It did not answer in time.
    Late,
    /// It is known to be away.
    KnownAway,
}

impl Caller {
    /// Calls `service` at `base`.
    #[must_use]
    pub fn new(service: &'static str, base: &str, client: reqwest::Client, token: Arc<ServiceToken>) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { service, base, client, token, breaker: Breaker::default(), slots: Semaphore::new(IN_FLIGHT) }
    }

    /// The service that it calls.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// Whether the peer is not known to be away.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.breaker.is_closed()
    }

    /// Does a call.
    ///
    /// # Errors
    /// What the peer said, or why it said nothing.
    pub async fn call<A, R>(&self, call: Call, ask: &A) -> Result<R, PeerError>
    where
        A: Serialize + Sync,
        R: DeserializeOwned,
    {
        let Ok(_slot) = self.slots.try_acquire() else { return Err(PeerError::Busy(self.service)) };
        let body = serde_json::to_vec(ask).map(Bytes::from).map_err(|error| {
            tracing::error!(peer = self.service, call = call.name, %error, "a call cannot be written as JSON");
            PeerError::Unavailable(self.service)
        })?;
        let ends = Instant::now() + call.within;
        let mut tried = 1;
        loop {
            let trouble = match self.attempt(&call, body.clone(), ends, true).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let pause = PAUSE * 2_u32.pow(tried - 1);
            let pause = pause + pause.mul_f32(rand::random());
            let again = tried < TRIES && trouble.may_be_tried_again(&call) && Instant::now() + pause < ends;
            if !again {
                return Err(self.told(&call, trouble));
            }
            tried += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the peer is there now; [`Caller::is_up`] learns from it.
    pub async fn look(&self) -> bool {
        let call = Call::ping(self.service);
        let ends = Instant::now() + call.within;
        let seen: Result<wire::Nothing, _> = self.attempt(&call, Bytes::from_static(b"{}"), ends, false).await;
        if let Err(Trouble::Misled(status)) = seen {
            tracing::warn!(peer = self.service, %status, "what answers at this peer's address does not take it for one");
        }
        seen.is_ok()
    }

    fn told(&self, call: &Call, trouble: Trouble) -> PeerError {
        let service = self.service;
        let told = match &trouble {
            Trouble::Told(_) | Trouble::KnownAway => String::new(),
            Trouble::NotSent(why) | Trouble::Broken(why) => why.clone(),
            Trouble::Misled(status) => format!("it answered {status}"),
            Trouble::Late => "it did not answer in time".to_owned(),
        };
        if !told.is_empty() {
            let trace = Trace::current().map(Trace::id);
            tracing::warn!(peer = service, call = call.name, trace.id = trace, "a peer was not there: {told}");
        }
        match trouble {
            Trouble::Told(failure) => failure.into_error(service),
            Trouble::NotSent(_) | Trouble::Misled(_) | Trouble::KnownAway => PeerError::Unavailable(service),
            Trouble::Broken(_) if call.repeatable => PeerError::Unavailable(service),
            Trouble::Broken(_) | Trouble::Late => PeerError::Deadline(service),
        }
    }

    async fn attempt<R: DeserializeOwned>(
        &self,
        call: &Call,
        body: Bytes,
        ends: Instant,
        of_use: bool,
    ) -> Result<R, Trouble> {
        let pass = self.breaker.enter().ok_or(Trouble::KnownAway)?;
        let answered = match tokio::time::timeout_at(ends, self.exchange(call, body, ends)).await {
            Ok(answered) => answered.and_then(|(status, body)| read(status, &body)),
            Err(_) => Err(Trouble::Late),
        };
        match &answered {
            Ok(_) | Err(Trouble::Told(_)) => pass.succeeded(of_use),
            Err(_) => pass.failed(),
        }
        answered
    }

    async fn exchange(&self, call: &Call, body: Bytes, ends: Instant) -> Result<(StatusCode, Bytes), Trouble> {
        let token = self.token.current().map_err(|error| Trouble::NotSent(error.to_string()))?;
        let left = ends.saturating_duration_since(Instant::now());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let millis = u64::try_from(left.saturating_sub(WAY_BACK).as_millis()).unwrap_or(u64::MAX);
        headers.insert(DEADLINE, HeaderValue::from(millis));
        if let Some(trace) = Trace::current()
            && let Ok(value) = HeaderValue::try_from(trace.child().to_string())
        {
            headers.insert(TRACEPARENT, value);
        }
        let url = format!("{}{}", self.base, call.path());
        let request = self.client.post(url).bearer_auth(token).headers(headers).body(body);
        let mut answer = request.send().await.map_err(|error| trouble(&error))?;
        let read = http_client::body(&mut answer, BODY_MAX).await.map_err(|error| trouble(&error))?;
        let read = read.ok_or_else(|| Trouble::Broken("its answer is too large".to_owned()))?;
        Ok((answer.status(), read))
    }
}

/// What an answer says.
fn read<R: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<R, Trouble> {
    match status {
        StatusCode::OK => serde_json::from_slice(body).map_err(|error| Trouble::Broken(error.to_string())),
        StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => match serde_json::from_slice(body) {
            Ok(failure) => Err(Trouble::Told(failure)),
            Err(_) => Err(Trouble::Broken(format!("it answered {status}"))),
        },
        status if status.is_client_error() => Err(Trouble::Misled(status)),
        status => Err(Trouble::Broken(format!("it answered {status}"))),
    }
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let why = http_client::why(error);
    if error.is_connect() || error.is_builder() {
        return Trouble::NotSent(format!("no connection: {why}"));
    }
    if error.is_timeout() { Trouble::Late } else { Trouble::Broken(format!("the connection broke: {why}")) }
}

impl Trouble {
    const fn may_be_tried_again(&self, call: &Call) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Told(Failure::Unavailable(_)) | Self::Broken(_) => call.repeatable,
            Self::Told(_) | Self::Misled(_) | Self::Late | Self::KnownAway => false,
        }
    }
}
