//! What every handler shares.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{HttpRequest, web::Bytes};
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::openapi::OpenApi;

use super::{
    address::{self, Network},
    csrf::Origins,
    docs,
    error::ApiError,
    fallback::RouteTable,
    ops::ReadinessReport,
    rate::AuthLimits,
    tokens::{RevokedTokens, Tokens},
};

/// Settings of the HTTP side.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The address to listen on.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Worker threads.
    pub workers: usize,
    /// The most connections of one worker.
    pub max_connections: usize,
    /// Whether cookies are for HTTPS only.
    pub production: bool,
    /// How long a client may take to send a request's head.
    pub request_timeout: Duration,
    /// The origins whose pages may use this API with cookies, the shop's own among them.
    pub origins: Origins,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// The services that this process serves, for `GET /`.
    pub services: Vec<String>,
    /// Whether the web shop is among them, which then answers at `/`.
    pub web_shop: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 0,
            workers: 2,
            max_connections: 25_000,
            production: false,
            request_timeout: Duration::from_secs(10),
            origins: Origins::default(),
            trusted_proxies: vec![],
            services: vec!["all".into()],
            web_shop: false,
        }
    }
}

/// Tells how the process is at the moment.
pub type ReadinessSource = Arc<dyn Fn() -> ReadinessReport + Send + Sync>;

/// What every handler shares.
pub struct State {
    /// Settings.
    pub settings: HttpSettings,
    /// Makes and checks tokens.
    pub tokens: Tokens,
    /// Tokens that a logout has ended.
    pub dead_tokens: Arc<RevokedTokens>,
    /// Limits on logging in and registering.
    pub auth_limits: AuthLimits,
    /// How the process is.
    pub readiness: ReadinessSource,
    /// Renders the metrics, when they are recorded.
    pub metrics: Option<PrometheusHandle>,
    api: OnceLock<Api>,
}

/// The OpenAPI document in the forms that are served, made once.
pub(super) struct Api {
    pub(super) json: Bytes,
    pub(super) page: Bytes,
    pub(super) routes: RouteTable,
}

impl State {
    /// The shared state, of a process that is ready.
    #[must_use]
    pub fn new(settings: HttpSettings, tokens: Tokens, auth_limits: AuthLimits) -> Self {
        Self {
            settings,
            tokens,
            dead_tokens: Arc::default(),
            auth_limits,
            readiness: Arc::new(ReadinessReport::default),
            metrics: None,
            api: OnceLock::new(),
        }
    }

    /// Counts a try to log in or register, at `account` if one is named.
    ///
    /// # Errors
    /// 429, once there were too many from this address or at this account.
    pub async fn check_auth_rate(&self, req: &HttpRequest, account: Option<&str>) -> Result<(), ApiError> {
        let address = address::of(req, &self.settings.trusted_proxies);
        let admitted = self.auth_limits.admit(address, account).await;
        admitted.map_err(|retry_after| ApiError::TooManyRequests { retry_after })
    }

    /// Takes the finished OpenAPI document; the first one stays, so that each worker may
    /// hand in its own, which is the same.
    pub fn set_api(&self, document: &OpenApi) {
        self.api.get_or_init(|| {
            let value = serde_json::to_value(document).unwrap_or_default();
            Api {
                json: Bytes::from(value.to_string()),
                page: Bytes::from(docs::render(&value)),
                routes: RouteTable::new(&value),
            }
        });
    }

    pub(super) fn api(&self) -> Option<&Api> {
        self.api.get()
    }
}
