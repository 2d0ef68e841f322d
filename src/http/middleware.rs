//! The middleware around all routes: HEAD, `nosniff`, request ids, traces, the error body, the error log, caching,
//! compression, and metrics. It allocates only for errors and for new routes.
//!
//! **Invariant:** the labels of metrics are from a closed set, whatever strangers send: a path is counted under its
//! route's pattern, a method that HTTP does not define as `other`, a request that no route takes as `unmatched`, a status
//! that nothing here answers as its class.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::{Ready, ready},
    sync::Arc,
    time::Instant,
};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        Method, StatusCode,
        header::{
            ACCEPT, AUTHORIZATION, CACHE_CONTROL, COOKIE, ETAG, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        },
    },
};
use futures_util::future::LocalBoxFuture;
use metrics::{Counter, Histogram, counter, histogram};
use tracing::{Instrument, Span};

use super::{
    address, audit, auth, entity,
    error::{ApiError, PROBLEM_JSON},
    fallback, request_id,
    state::HttpSettings,
};
use crate::{
    actors::tokens,
    config::Network,
    trace::{TRACEPARENT, Trace},
};

/// Returns a caller's trace context with this request's span.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A year. Hosts beside this one are not ours to bind.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

#[derive(Debug, Clone)]
pub struct RequestMiddleware {
    over_tls: bool,
    trusted_proxies: Arc<[Network]>,
}

impl RequestMiddleware {
    /// The middleware of a shop with these settings.
    #[must_use]
    pub fn new(settings: &HttpSettings) -> Self {
        Self {
            over_tls: settings.origins.public_url.starts_with("https://"),
            trusted_proxies: settings.trusted_proxies.clone().into(),
        }
    }
}

#[derive(Debug)]
pub struct RequestMiddlewareService<S> {
    service: S,
    settings: RequestMiddleware,
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
        ready(Ok(RequestMiddlewareService { service, settings: self.clone() }))
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
        let over_tls = self.settings.over_tls || address::is_over_tls(req.request(), &self.settings.trusted_proxies);
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
                let refusal = auth::refusal_of(response.request()).await;
                response = finish_error(response, trace, refusal);
            } else if let Some(id) = request_id::of_client(response.request().headers()) {
                let id = HeaderValue::from_str(id);
                insert_id(&mut response, id.ok());
            }
            audit::staff(response.request(), response.status());
            finish_caching(&mut response, method);
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if over_tls {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
            }
            let response = entity::encode(response).await;
            record(response.request().match_pattern().as_deref(), method, response.status(), started);
            Ok(response)
        })
    }
}

/// Whether a request says who sends it.
pub fn has_credentials(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).map(str::trim_start);
    headers.contains_key(AUTHORIZATION)
        || pairs.any(|pair| pair.strip_prefix(tokens::COOKIE).is_some_and(|value| value.starts_with('=')))
}

/// Says how an answer may be kept, where its handler does not: what has a tag is asked about each time; what is about a
/// user, carries a token or answers a change is not kept.
fn finish_caching(response: &mut ServiceResponse, method: &str) {
    if response.headers().contains_key(CACHE_CONTROL) {
        return;
    }
    let reads = matches!(method, "GET" | "HEAD");
    let headers = response.headers();
    let is_shared = reads && (headers.contains_key(ETAG) || !has_credentials(response.request().headers()));
    let keep = is_shared && !headers.contains_key(SET_COOKIE);
    let value = HeaderValue::from_static(if keep { "no-cache" } else { "no-store" });
    response.headers_mut().insert(CACHE_CONTROL, value);
}

fn insert_id(response: &mut ServiceResponse, id: Option<HeaderValue>) {
    if let Some(id) = id {
        response.headers_mut().insert(request_id::HEADER, id);
    }
}

/// Gives an error the API's error body with the request's id, unless it has a body, and logs it. The refusal of its
/// caller stands in place of another error.
fn finish_error(response: ServiceResponse, trace: Trace, refusal: Option<ApiError>) -> ServiceResponse {
    let status = response.status();
    let client_id = request_id::of_client(response.request().headers()).map(str::to_owned);
    let own = |response: &ServiceResponse| response.response().error().and_then(|error| error.as_error().cloned());
    let refusal = refusal.filter(|refusal| own(&response).as_ref() != Some(refusal));
    let is_overruled = refusal.is_some();
    let error = match response.response().error() {
        _ if is_overruled => refusal,
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
    let wants_problem = accepts_problem(response.request().headers());
    let response = match (client_id, &known) {
        (None, Some(_)) if is_ours && !is_overruled && !wants_problem => response,
        (client_id, _) => {
            let id = client_id.or(known).unwrap_or_else(request_id::new);
            let new = if wants_problem { error.problem(&id) } else { error.response(&id) };
            replace(response, new)
        }
    };
    if response.status().is_server_error() {
        log(&response, &error, trace);
    }
    let id = response.headers().get(request_id::HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    audit::refused(response.request(), &error, id);
    response
}

fn accepts_problem(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).filter_map(|line| line.to_str().ok());
    let mut media = lines.flat_map(|line| line.split(',')).filter_map(|media| media.split(';').next());
    media.any(|media| media.trim().eq_ignore_ascii_case(PROBLEM_JSON))
}

/// `new` in place of a response; headers that others added (CORS, cookies) stay.
fn replace(response: ServiceResponse, mut new: HttpResponse) -> ServiceResponse {
    let (req, old) = response.into_parts();
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
    // A path that is known with another method was matched by no route either.
    let route = route.filter(|_| status != StatusCode::METHOD_NOT_ALLOWED).unwrap_or("unmatched");
    let status = status.as_u16();
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
    let labels =
        |route: &str, status: String| [("route", route.to_owned()), ("method", method.to_owned()), ("status", status)];
    let class = || format!("{}xx", status / 100);
    let shown = if STATUSES.contains(&status) { status.to_string() } else { class() };
    let requests = counter!("http_requests_total", &labels(route, shown.clone()));
    // Refusals are timed all together: a histogram for each that a stranger can cause would be thousands of series.
    let timed = if (400..500).contains(&status) { labels("refused", class()) } else { labels(route, shown) };
    (method, status, requests, histogram!("http_request_duration_seconds", &timed))
}

/// The statuses that are counted each.
const STATUSES: [u16; 28] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415,
    422, 428, 429, 500, 503,
];
