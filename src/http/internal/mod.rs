//! The endpoint for calls of the platform's other processes, which [`remote`](crate::runtime::calls::remote) sends.
//! It is not in the OpenAPI document, and the gateway does not route to it.
//!
//! A call ends when its caller's deadline, which is in a header, has passed.
//!
//! **Invariant:** every request needs a service token.

#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ContentType,
    web::{self, Bytes, PayloadConfig},
};

use super::{auth::ServiceCaller, error::ApiError};
use crate::{
    config::Service,
    runtime::calls::{
        CallError, Calls,
        remote::{BODY_MAX, DEADLINE, PING, Pong, ROOT},
    },
};

/// The deadline of a call whose caller sends none.
const WITHIN: Duration = Duration::from_secs(10);

pub fn configure(config: &mut web::ServiceConfig) {
    let scope = web::scope(ROOT).app_data(PayloadConfig::new(BODY_MAX));
    config.service(scope.route("/{call}", web::post().to(call)));
}

/// Handles a call of any service whose handlers are registered here.
async fn call(
    _caller: ServiceCaller,
    req: HttpRequest,
    name: web::Path<String>,
    calls: web::Data<Calls>,
    body: Bytes,
) -> Result<HttpResponse, ApiError> {
    let (service, call) = name.split_once('.').ok_or(ApiError::NotFound("call"))?;
    let service = Service::named(service).ok_or(ApiError::NotFound("call"))?;
    if call == PING && calls.exposes(service) {
        return Ok(HttpResponse::Ok().json(Pong {}));
    }
    let answer = calls.answer(&name, &body).ok_or(ApiError::NotFound("call"))?;
    let answer = answer.map_err(|error| ApiError::Malformed(format!("the body is not this call's: {error}")))?;
    let done = match tokio::time::timeout(deadline(&req), answer).await {
        Ok(done) => done,
        Err(_) => Err(CallError::OutcomeUnknown(service.name().into())),
    };
    Ok(match done {
        Ok(reply) => HttpResponse::Ok().content_type(ContentType::json()).body(reply),
        Err(error @ (CallError::Refused(_) | CallError::Conflict)) => HttpResponse::Conflict().json(error),
        Err(error @ CallError::Internal(_)) => HttpResponse::InternalServerError().json(error),
        Err(error) => HttpResponse::ServiceUnavailable().json(error),
    })
}

/// How long the caller still waits.
fn deadline(req: &HttpRequest) -> Duration {
    let said = req.headers().get(DEADLINE).and_then(|value| value.to_str().ok()?.parse().ok());
    said.map_or(WITHIN, Duration::from_millis).min(WITHIN)
}
