//! Operational endpoints: liveness, readiness and metrics.

use std::{error::Error, sync::OnceLock};

use actix_web::{
    HttpRequest, HttpResponse, Responder, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY},
    web::Data,
};
use prometheus::{HistogramOpts, HistogramVec, Registry, TEXT_FORMAT, TextEncoder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    metric_help, open_metrics,
    process_metrics::ProcessMetrics,
    state::State,
};

/// The state of a component of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    Up,
    /// It is unavailable, and the process can serve without it.
    Degraded,
    /// It is unavailable, and the process cannot serve without it.
    Down,
}

/// A component: a store, a broker, a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Its name.
    #[schema(example = "store")]
    pub name: String,
    /// Its state.
    pub state: PartState,
    /// The problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The actors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActorKind {
    #[schema(example = "cart")]
    pub kind: String,
    /// How many are alive.
    pub alive: u64,
    /// How often actors of this kind were restarted.
    pub restarts: u64,
    /// How many calls are being handled or wait.
    pub in_flight: u64,
    /// How many calls were refused.
    pub refused: u64,
    /// Whether an actor of this kind keeps dying.
    pub failing: bool,
}

/// The state of the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Everything works.
    Ready,
    /// It serves, although a component is unavailable.
    Degraded,
    /// It cannot serve.
    Unavailable,
}

/// The state of the process and its components.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadinessReport {
    /// Stores, brokers, peers.
    pub parts: Vec<Part>,
    /// Actors by kind.
    pub actors: Vec<ActorKind>,
    /// Whether the process is shutting down and accepts no new work.
    pub draining: bool,
}

impl ReadinessReport {
    /// The state of the whole process.
    #[must_use]
    pub fn overall(&self) -> Overall {
        let down = self.parts.iter().any(|part| part.state == PartState::Down);
        if down || self.draining || self.actors.iter().any(|kind| kind.failing) {
            Overall::Unavailable
        } else if self.parts.iter().any(|part| part.state == PartState::Degraded) {
            Overall::Degraded
        } else {
            Overall::Ready
        }
    }

    /// The names of components that are unavailable and of actors that keep dying.
    #[must_use]
    pub fn away(&self) -> Vec<String> {
        let parts = self.parts.iter().filter(|part| part.state != PartState::Up).map(|part| part.name.clone());
        parts.chain(self.actors.iter().filter(|kind| kind.failing).map(|kind| kind.kind.clone())).collect()
    }
}

/// The answer of `/readyz`. In production all but `status` is for the shop's operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyView {
    /// The state of the process.
    pub status: Overall,
    /// What is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Vec<String>>,
    /// Stores, brokers, peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Part>>,
    /// Actors by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<Vec<ActorKind>>,
}

impl ReadyView {
    fn new(report: ReadinessReport, detailed: bool) -> Self {
        let (status, away) = (report.overall(), report.away());
        match detailed {
            true => Self { status, away: Some(away), parts: Some(report.parts), actors: Some(report.actors) },
            false => Self { status, away: None, parts: None, actors: None },
        }
    }
}

/// The answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub status: String,
}

/// The answer of `GET /`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RootView {
    /// The program's name.
    #[schema(example = "microbazaar")]
    pub name: String,
    /// `ready`, `degraded` or `unavailable`.
    pub state: Overall,
    /// The services in this process.
    pub services: Vec<String>,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: String,
}

/// The name and state of the process, as `GET /` returns them to programs.
#[must_use]
pub fn root_view(state: &State) -> RootView {
    RootView {
        name: env!("CARGO_PKG_NAME").to_owned(),
        state: (state.readiness)().overall(),
        services: state.settings.services.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Name, state and services of this process, for programs (`Accept: application/json`); the web shop for browsers, in
/// the process that serves it.
#[utoipa::path(
    tag = "operations",
    operation_id = "getRoot",
    responses((
        status = 200,
        description = "Name and state, or the shop",
        content((RootView = "application/json"), (String = "text/html")),
    )),
    security(())
)]
#[get("/")]
pub async fn root(state: Data<State>) -> impl Responder {
    HttpResponse::Ok().json(root_view(&state))
}

/// Whether the process is alive.
#[utoipa::path(tag = "operations", operation_id = "getHealth", responses((status = 200, description = "It is alive", body = HealthView)), security(()))]
#[get("/healthz")]
pub async fn healthz() -> impl Responder {
    HttpResponse::Ok().json(HealthView { status: "ok".into() })
}

/// Whether the process can serve, and for operators what is unavailable.
#[utoipa::path(
    tag = "operations",
    operation_id = "getReadiness",
    responses(
        (status = 200, description = "It serves, perhaps without a component", body = ReadyView),
        (status = 503, description = "It cannot serve", body = ReadyView),
    ),
    security(())
)]
#[get("/readyz")]
pub async fn readyz(req: HttpRequest, state: Data<State>) -> impl Responder {
    let view = ReadyView::new((state.readiness)(), state.is_operator(&req));
    let mut response = match view.status {
        Overall::Ready | Overall::Degraded => HttpResponse::Ok(),
        Overall::Unavailable => HttpResponse::ServiceUnavailable(),
    };
    if view.status == Overall::Unavailable {
        response.insert_header((RETRY_AFTER, 1));
    }
    response.insert_header((CACHE_CONTROL, "no-store")).json(view)
}

/// Metrics in Prometheus's text format, or as `OpenMetrics` by `Accept`; in production for operators.
///
/// # Errors
///
/// 403 for others, 503 when no metrics are recorded.
#[utoipa::path(
    tag = "operations",
    operation_id = "getMetrics",
    responses(
        (status = 200, description = "Metrics", content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = 403, description = "Not one of the shop's operators", body = ErrorBody),
    ),
    security(())
)]
#[get("/metrics")]
pub async fn metrics(req: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.operators_only(&req)?;
    let metrics = state.metrics.as_ref().ok_or_else(|| ApiError::unavailable("metrics"))?;
    let families = metrics.gather();
    let (media, text) = match open_metrics::is_preferred(&req) {
        true => (open_metrics::MEDIA_TYPE, open_metrics::render(&families)),
        false => {
            let text = TextEncoder::new().encode_to_string(&families);
            (TEXT_FORMAT, text.map_err(|error| ApiError::Internal(error.to_string()))?)
        }
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, media)).insert_header((VARY, "accept")).body(text))
}

/// Upper bounds of the latency histograms, in seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The latency histograms, with their labels.
const HISTOGRAMS: [(&str, &[&str]); 4] = [
    ("http_request_duration_seconds", &["route", "method", "status"]),
    ("chat_turn_seconds", &[]),
    ("agent_model_seconds", &["outcome"]),
    ("agent_tool_duration_seconds", &["tool"]),
];

/// Starts to record metrics, once in a process; calling again gives the same ones.
///
/// # Errors
/// When another recorder was installed before.
pub fn install_metrics() -> Result<Registry, String> {
    static RECORDED: OnceLock<Result<Registry, String>> = OnceLock::new();
    RECORDED.get_or_init(|| try_install_metrics().map_err(|error| error.to_string())).clone()
}

fn try_install_metrics() -> Result<Registry, Box<dyn Error>> {
    let registry = Registry::new();
    let mut recorder = metrics_prometheus::Recorder::builder().with_registry(&registry);
    for (name, labels) in HISTOGRAMS {
        let options = HistogramOpts::new(name, name).buckets(BUCKETS.to_vec());
        recorder = recorder.try_with_metric(HistogramVec::new(options, labels)?)?;
    }
    recorder.try_build_and_install()?;
    metric_help::describe();
    registry.register(Box::new(ProcessMetrics::new()?))?;
    Ok(registry)
}
