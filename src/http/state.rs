//! The state and settings that all handlers share.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{HttpRequest, cookie::Cookie, web::Bytes};
use prometheus::Registry;
use utoipa::openapi::OpenApi;

use super::{
    address,
    device::Device,
    docs,
    error::ApiError,
    fallback::RouteTable,
    ops::ReadinessReport,
    pages::Policies,
    rate::{AuthLimits, work::WorkLimits},
    sessions::Recorded,
};
use crate::{
    actors::{
        accounts::calls::Source,
        tokens::{self, Claims, RevokedTokens, Tokens},
    },
    config::{Network, Origins},
    domain::{
        Timestamp,
        user::{Role, User},
    },
};

#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Worker threads.
    pub workers: usize,
    /// The most connections of one worker.
    pub max_connections: usize,
    /// Whether cookies are sent over HTTPS only.
    pub production: bool,
    /// How long a client may take to send a request's head.
    pub request_timeout: Duration,
    /// The origins whose pages may use this API with cookies; the shop's own is among them.
    pub origins: Origins,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Network>,
    /// Who sees metrics, documentation and the details of readiness in production.
    pub operators: Vec<Network>,
    /// Where pictures come from besides this shop.
    pub image_origin: Option<String>,
    /// The services that this process serves, for `GET /`.
    pub services: Vec<String>,
    /// Whether the web shop is among the services; it then answers at `/`.
    pub web_shop: bool,
    /// The roles that must have a second factor.
    pub two_factor_for: Vec<Role>,
    /// Whether only users with a confirmed e-mail address buy and sell.
    pub verified_only: bool,
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
            operators: vec![],
            image_origin: None,
            services: vec!["all".into()],
            web_shop: false,
            two_factor_for: vec![],
            verified_only: false,
        }
    }
}

/// Returns the current state of the process.
pub type ReadinessSource = Arc<dyn Fn() -> ReadinessReport + Send + Sync>;

/// The state that all handlers share.
pub struct State {
    pub settings: HttpSettings,
    /// Makes and checks tokens.
    pub tokens: Tokens,
    pub dead_tokens: Arc<RevokedTokens>,
    /// Limits on logging in and registering.
    pub auth_limits: AuthLimits,
    /// Limits on carts, orders and searches.
    pub work_limits: WorkLimits,
    pub readiness: ReadinessSource,
    pub(super) policies: Policies,
    pub(super) recorded: Recorded,
    /// The metrics, when they are recorded.
    pub metrics: Option<Registry>,
    describe: OnceLock<Box<dyn Fn() -> OpenApi + Send + Sync>>,
    api: OnceLock<Api>,
}

/// The OpenAPI document in the forms that are served, made once, at the first request for it.
pub(super) struct Api {
    pub(super) json: Bytes,
    pub(super) page: Bytes,
    pub(super) routes: RouteTable,
}

impl State {
    /// The state of a process that is ready.
    #[must_use]
    pub fn new(settings: HttpSettings, tokens: Tokens, auth_limits: AuthLimits) -> Self {
        Self {
            policies: Policies::new(&settings),
            settings,
            tokens,
            dead_tokens: Arc::default(),
            auth_limits,
            work_limits: WorkLimits::default(),
            readiness: Arc::new(ReadinessReport::default),
            recorded: Recorded::default(),
            metrics: None,
            describe: OnceLock::new(),
            api: OnceLock::new(),
        }
    }

    /// Counts an attempt to log in or register, at `account` if one is named.
    ///
    /// # Errors
    ///
    /// 429 after too many attempts from this address or at this account.
    pub async fn check_auth_rate(&self, req: &HttpRequest, account: Option<&str>) -> Result<(), ApiError> {
        let address = address::of(req, &self.settings.trusted_proxies);
        let admitted = self.auth_limits.admit(address, account).await;
        admitted.map_err(|retry_after| ApiError::TooManyRequests { retry_after })
    }

    /// Whether the caller may see what is for the shop's operators: in production by their address, else everybody.
    #[must_use]
    pub fn is_operator(&self, req: &HttpRequest) -> bool {
        let HttpSettings { production, operators, trusted_proxies, .. } = &self.settings;
        let address = address::of(req, trusted_proxies);
        !production || operators.iter().any(|network| network.contains(address))
    }

    /// Refuses callers who are no operators.
    ///
    /// # Errors
    /// 403 `request.operators_only`.
    pub fn operators_only(&self, req: &HttpRequest) -> Result<(), ApiError> {
        const REFUSED: ApiError =
            ApiError::Forbidden { code: "request.operators_only", message: "only the shop's operators may see this" };
        if self.is_operator(req) { Ok(()) } else { Err(REFUSED) }
    }

    /// Counts an attempt to log in at `account`, and tells where it comes from.
    ///
    /// # Errors
    ///
    /// 429 after too many attempts, unless it comes from where this account was logged in to before.
    pub async fn admit_login(&self, req: &HttpRequest, account: &str) -> Result<Source, ApiError> {
        let address = address::of(req, &self.settings.trusted_proxies);
        let device = Device::of(req, &self.tokens).filter(|device| device.knows(&self.tokens, account));
        let admitted = self.auth_limits.admit_login(address, account, device.as_ref().map(Device::id)).await;
        admitted.map_err(|retry_after| ApiError::TooManyRequests { retry_after })
    }

    /// Issues a token to a user who was authenticated at `at`, with the cookie that sets it.
    ///
    /// # Errors
    /// [`ApiError::Internal`] when it cannot be signed.
    pub fn issue(&self, user: &User, at: Timestamp) -> Result<(String, Claims, Cookie<'static>), ApiError> {
        let issued = self.tokens.issue_to(user, at).map_err(|error| ApiError::Internal(error.to_string()));
        issued.map(|(token, claims)| {
            let cookie = tokens::cookie(&token, self.settings.production);
            (token, claims, cookie)
        })
    }

    /// Remembers from where somebody has logged in; the cookie is for their browser.
    pub fn remember_login(&self, req: &HttpRequest, user: &User) -> Cookie<'static> {
        let address = address::of(req, &self.settings.trusted_proxies);
        let mut device = Device::of(req, &self.tokens).unwrap_or_else(Device::new);
        for account in [&user.email, &user.username] {
            self.auth_limits.remember(address, account);
            device.remember(&self.tokens, account);
        }
        device.cookie(&self.tokens, self.settings.production)
    }

    /// Sets the function that makes the OpenAPI document. The first one stays: each worker sets
    /// one that makes the same document.
    pub fn describe_by(&self, document: impl Fn() -> OpenApi + Send + Sync + 'static) {
        self.describe.get_or_init(|| Box::new(document));
    }

    pub(super) fn api(&self) -> Option<&Api> {
        let describe = self.describe.get()?;
        Some(self.api.get_or_init(|| {
            let value = serde_json::to_value(describe()).unwrap_or_default();
            Api {
                json: Bytes::from(value.to_string()),
                page: Bytes::from(docs::render(&value)),
                routes: RouteTable::new(&value),
            }
        }))
    }
}
