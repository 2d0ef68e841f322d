//! What this process answers to the platform's other processes: the traits of `peers` over
//! HTTP, as `peers::wire` has it. Not in the OpenAPI document, and behind no gateway.
//!
//! A call is given up when its caller has, and says so.
//!
//! **Invariant:** nothing here is done without a service token.

mod routes;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, Scope,
    http::header::ContentType,
    web::{self, Bytes, PayloadConfig},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{auth::ServiceCaller, error::ApiError};
use crate::{
    config::Service,
    peers::{
        self, Peers,
        wire::{self, BODY_MAX, Call, DEADLINE, Failure},
    },
    runtime::calls::{
        CallError, Calls,
        remote::{PING, Pong},
    },
};

/// How long a call may take whose caller does not say.
const WITHIN: Duration = Duration::from_secs(10);

/// The services of this process that others may call.
#[derive(Clone, Default)]
pub struct Exposed {
    /// Payments.
    pub payments: Option<Arc<dyn peers::Payments>>,
}

impl Exposed {
    /// Gives the services to those of the same process, which call them without HTTP.
    pub fn fill(&self, peers: &Peers) {
        if let Some(payments) = &self.payments {
            peers.set_payments(Arc::clone(payments));
        }
    }
}

/// Registers the calls of every service in `exposed`.
pub fn configure(config: &mut web::ServiceConfig, exposed: &Exposed) {
    let scope = web::scope(wire::ROOT).app_data(PayloadConfig::new(BODY_MAX));
    config.service(routes::add(scope, exposed).route("/{call}", web::post().to(call)));
}

/// Does a call of any service whose handlers are registered here.
async fn call(
    _caller: ServiceCaller,
    req: HttpRequest,
    name: web::Path<String>,
    calls: web::Data<Calls>,
    body: Bytes,
) -> Result<HttpResponse, ApiError> {
    let service = Service::ALL.into_iter().find(|service| name.split('.').next() == Some(service.name()));
    if name.ends_with(&format!(".{PING}")) && service.is_some_and(|service| calls.exposes(service)) {
        return Ok(HttpResponse::Ok().json(Pong {}));
    }
    let answer = calls.answer(&name, &body).ok_or(ApiError::NotFound("call"))?;
    let answer = answer.map_err(|error| ApiError::Malformed(format!("the body is not this call's: {error}")))?;
    let done = match tokio::time::timeout(deadline(&req), answer).await {
        Ok(done) => done,
        Err(_) => Err(CallError::OutcomeUnknown(service.map_or("requested", Service::name).into())),
    };
    Ok(match done {
        Ok(reply) => HttpResponse::Ok().content_type(ContentType::json()).body(reply),
        Err(error @ (CallError::Refused(_) | CallError::Conflict)) => HttpResponse::Conflict().json(error),
        Err(error @ CallError::Internal(_)) => HttpResponse::InternalServerError().json(error),
        Err(error) => HttpResponse::ServiceUnavailable().json(error),
    })
}

/// Adds a call and the calls' common look at whether `service` is there.
fn ping(scope: Scope, service: &'static str) -> Scope {
    let there = || async { Ok::<_, Failure>(wire::Nothing {}) };
    answer(scope, Call::ping(service), &Arc::new(()), move |_, _: wire::Nothing| there())
}

/// Adds a call of `service`: what is asked is read, done within the caller's deadline and answered.
fn answer<S, A, R, E, F>(
    scope: Scope,
    call: Call,
    service: &Arc<S>,
    run: impl Fn(Arc<S>, A) -> F + Clone + 'static,
) -> Scope
where
    S: ?Sized + 'static,
    A: DeserializeOwned,
    R: Serialize,
    E: Into<Failure>,
    F: Future<Output = Result<R, E>>,
{
    let service = Arc::clone(service);
    let handler = move |_caller: ServiceCaller, req: HttpRequest, body: Bytes| {
        let (service, run) = (Arc::clone(&service), run.clone());
        async move {
            let ask = serde_json::from_slice(&body)
                .map_err(|error| ApiError::Malformed(format!("the body is not this call's: {error}")))?;
            let done = match tokio::time::timeout(deadline(&req), run(service, ask)).await {
                Ok(done) => done.map_err(Into::into),
                Err(_) => Err(Failure::Deadline(call.service.to_owned())),
            };
            Ok::<_, ApiError>(match done {
                Ok(answer) => HttpResponse::Ok().json(answer),
                Err(failure) => HttpResponse::ServiceUnavailable().json(failure),
            })
        }
    };
    scope.route(&format!("/{}/{}", call.service, call.name), web::post().to(handler))
}

/// How long the caller still waits.
fn deadline(req: &HttpRequest) -> Duration {
    let said = req.headers().get(DEADLINE).and_then(|value| value.to_str().ok()?.parse().ok());
    said.map_or(WITHIN, Duration::from_millis).min(WITHIN)
}
