//! The middleware around all routes: HEAD, `nosniff`, request ids, traces, the error body, the error log, and
//! metrics. It allocates only for errors and for new routes.
//!
//! **Invariant:** metric labels are bounded: a path is counted under its route's pattern, and a method that HTTP does
//! not define as `other`.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::{Ready, ready},
    time::Instant,
};

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        Method, StatusCode,
        header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
};
use futures_util::future::LocalBoxFuture;
use metrics::{Counter, Histogram, counter, histogram};
use tracing::{Instrument, Span};

use super::{error::ApiError, fallback, request_id};
use crate::trace::{TRACEPARENT, Trace};

/// Returns a caller's trace context with this request's span.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

#[derive(Debug, Clone, Copy, Default)]
pub struct RequestMiddleware;

#[derive(Debug)]
pub struct RequestMiddlewareService<S> {
    service: S,
}

impl<S, B> Transform<S, ServiceRequest> for RequestMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = RequestMiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequestMiddlewareService { service }))
    }
}

impl<S, B> Service<ServiceRequest> for RequestMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, mut req: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let method = label(req.method());
        if *req.method() == Method::HEAD {
            // The encoder knows from the connection that the method was HEAD and leaves the body out.
            req.head_mut().method = Method::GET;
        }
        let parent = req.headers().get(TRACEPARENT).and_then(|value| Trace::parse(value.to_str().ok()?));
        let trace = parent.map_or_else(Trace::begin, Trace::child);
        // Requests that only read log little; a span for each would cost more than the response.
        let span = match parent.is_some() || method != "GET" {
            true => tracing::info_span!("request", trace.id = %trace.id()),
            false => Span::none(),
        };
        let answer = trace.scope(self.service.call(req)).instrument(span);
        Box::pin(async move {
            let mut response = answer.await?.map_into_boxed_body();
            if parent.is_some()
                && let Ok(value) = HeaderValue::try_from(trace.to_string())
            {
                response.headers_mut().insert(TRACERESPONSE, value);
            }
            let status = response.status();
            if status.is_client_error() || status.is_server_error() {
                response = finish_error(response, trace);
            } else if let Some(id) = request_id::of_client(response.request().headers()) {
                let id = HeaderValue::from_str(id);
                insert_id(&mut response, id.ok());
            }
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            record(response.request().match_pattern().as_deref(), method, response.status(), started);
            Ok(response)
        })
    }
}

fn insert_id(response: &mut ServiceResponse, id: Option<HeaderValue>) {
    if let Some(id) = id {
        response.headers_mut().insert(request_id::HEADER, id);
    }
}

/// Gives an error the API's error body with the request's id, unless it has a body, and logs it.
fn finish_error(response: ServiceResponse, trace: Trace) -> ServiceResponse {
    let status = response.status();
    let client_id = request_id::of_client(response.request().headers()).map(str::to_owned);
    let error = match response.response().error() {
        Some(error) => match error.as_error::<ApiError>() {
            Some(error) => Some(error.clone()),
            None => Some(ApiError::from_status(status, &error.to_string())),
        },
        // The framework's resources refuse methods with an empty body.
        None => {
            let size = response.response().body().size();
            fallback::refused_method(response.request(), status, response.headers(), size)
        }
    };
    let Some(error) = error else {
        // A page or a document that a handler rendered itself.
        let mut response = response;
        insert_id(&mut response, client_id.and_then(|id| HeaderValue::try_from(id).ok()));
        return response;
    };
    let known = response.headers().get(request_id::HEADER).and_then(|id| id.to_str().ok().map(str::to_owned));
    let is_ours = response.response().error().is_some_and(|error| error.as_error::<ApiError>().is_some());
    let response = match (client_id, known) {
        (None, Some(_)) if is_ours => response,
        (client_id, _) => {
            let id = client_id.unwrap_or_else(request_id::new);
            replace(response, &error, &id)
        }
    };
    if status.is_server_error() {
        log(&response, &error, trace);
    }
    response
}

/// The same response with the error's body for this id; headers that others added (CORS, cookies) stay.
fn replace(response: ServiceResponse, error: &ApiError, id: &str) -> ServiceResponse {
    let (req, old) = response.into_parts();
    let mut new = error.response(id);
    for (name, value) in old.headers() {
        if !new.headers().contains_key(name) {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(req, new)
}

fn log(response: &ServiceResponse, error: &ApiError, trace: Trace) {
    let id = response.headers().get(request_id::HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (method, path, trace) = (response.request().method(), response.request().path(), trace.id());
    match error {
        ApiError::Internal(detail) => {
            tracing::error!(request.id = id, trace.id = trace, %method, path, detail, "a request failed with an internal error");
        }
        ApiError::OutcomeUnknown => {
            tracing::warn!(request.id = id, trace.id = trace, %method, path, "a request timed out");
        }
        other => tracing::warn!(request.id = id, trace.id = trace, %method, path, "a request was refused: {other}"),
    }
}

fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The metrics of one route, by method and status.
type Recorders = Vec<(&'static str, u16, Counter, Histogram)>;

thread_local! {
    // A lookup by labels allocates, so that each worker keeps its recorders.
    static RECORDERS: RefCell<HashMap<String, Recorders>> = RefCell::default();
}

fn record(route: Option<&str>, method: &'static str, status: StatusCode, started: Instant) {
    let (route, status) = (route.unwrap_or("unmatched"), status.as_u16());
    let seconds = started.elapsed().as_secs_f64();
    RECORDERS.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), vec![]);
        }
        let Some(recorders) = routes.get_mut(route) else { return };
        let known = recorders.iter().position(|known| known.0 == method && known.1 == status);
        let at = known.unwrap_or_else(|| {
            recorders.push(recorder(route, method, status));
            recorders.len() - 1
        });
        if let Some((_, _, requests, durations)) = recorders.get(at) {
            requests.increment(1);
            durations.record(seconds);
        }
    });
}

fn recorder(route: &str, method: &'static str, status: u16) -> (&'static str, u16, Counter, Histogram) {
    let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
    let requests = counter!("http_requests_total", &labels);
    (method, status, requests, histogram!("http_request_duration_seconds", &labels))
}
