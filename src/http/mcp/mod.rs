//! `POST /mcp`: the assistant's tools for external agents, over the Model Context Protocol.
//!
//! The streamable HTTP transport without sessions: each message is one request, answered with one JSON body, by any
//! node. rmcp implements the protocol; this module authenticates, limits the rate, and converts between actix-web and
//! rmcp. A message that violates the protocol gets the protocol's error; a request that does not reach rmcp gets this
//! API's error.
//!
//! **Invariant:** every request needs a valid Bearer token, and an agent may do only what the tools allow the token's
//! user.

mod limit;
mod server;

use std::{sync::Arc, time::Duration};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN},
    },
    post,
    web::Data,
};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http_body_util::{BodyExt, Full};
use metrics::counter;
use moka::sync::Cache;
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::never::NeverSessionManager,
};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::timeout};

use self::{limit::CallLimit, server::Agent};
use super::{
    auth::{AuthUser, TokenSource, state, token_of},
    error::{ApiError, ErrorBody},
    extract::{BODY_MAX, is_json, read_body},
    routes::Services,
};
use crate::{
    config::PublicUrl,
    domain::{conversation::KnownProducts, ids::UserId},
    ws::agent::{Shopper, model::Tools},
};

/// How long a message may take, including its tool.
const WITHIN: Duration = Duration::from_secs(20);
/// How long the products that tools returned to a user are remembered after the user's last call.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// For how many users they are remembered.
const KNOWN_MAX: u64 = 20_000;

/// The tools for external agents.
#[derive(Clone)]
pub struct Mcp {
    tools: Arc<dyn Tools>,
    public_url: PublicUrl,
    known: Cache<UserId, Arc<Mutex<KnownProducts>>>,
    limit: Option<Arc<CallLimit>>,
}

impl Mcp {
    /// Offers `tools`, with a rate limit for each user if `limited`. Links in answers use `public_url`.
    #[must_use]
    pub fn new(tools: Arc<dyn Tools>, public_url: PublicUrl, limited: bool) -> Self {
        let known = Cache::builder().max_capacity(KNOWN_MAX).time_to_idle(KNOWN_FOR).build();
        Self { tools, public_url, known, limit: limited.then(Arc::default) }
    }

    fn agent(&self, shopper: Shopper) -> Agent {
        let known = self.known.get_with(shopper.id, Arc::default);
        Agent { tools: Arc::clone(&self.tools), public_url: self.public_url.clone(), shopper, known }
    }
}

/// The caller, by a Bearer token: the cookie, which browsers send automatically, does not count.
pub struct BearerUser(AuthUser);

impl FromRequest for BearerUser {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        match token_of(req) {
            Some((_, TokenSource::Bearer)) => {
                let user = AuthUser::from_request(req, payload);
                Box::pin(async move { user.await.map(Self) })
            }
            Some((_, TokenSource::Cookie)) | None => Box::pin(async { Err(ApiError::unauthorized()) }),
        }
    }
}

/// Handles a message of the Model Context Protocol, for agents that act for a user.
///
/// The streamable HTTP transport without sessions: `initialize`, `tools/list`, `tools/call` and the protocol's
/// notifications, each answered separately. A Bearer token is needed; the cookie does not count. A product id must
/// come from an earlier answer to the same user.
#[utoipa::path(
    tag = "assistant",
    operation_id = "callMcp",
    security(("bearer" = [])),
    request_body(content = serde_json::Value, description = "A JSON-RPC message", example = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "search_products", "arguments": { "query": "mug", "maxPrice": 500 } }
    })),
    responses(
        (status = 200, description = "The JSON-RPC answer", body = serde_json::Value, example = json!({
            "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": "{\"products\":[]}" }],
            "structuredContent": { "products": [] }, "isError": false }
        })),
        (status = 202, description = "A notification was accepted"),
        (status = 429, description = "Too many calls; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/mcp")]
pub async fn post(
    req: HttpRequest,
    user: BearerUser,
    mut payload: BodyOf,
    services: Data<Services>,
) -> Result<HttpResponse, ApiError> {
    let (mcp, BearerUser(user)) = (services.mcp()?, user);
    check_origin(&req)?;
    if let Some(limit) = &mcp.limit {
        limit.admit(user.id).map_err(|retry_after| ApiError::TooManyRequests { retry_after })?;
    }
    is_json(req.headers())?;
    let body = read_body(&req, &mut payload.0, BODY_MAX).await?;
    match serde_json::from_slice(&body) {
        Ok(message) => {
            if let Some(answer) = refused_call(&message) {
                return Ok(HttpResponse::Ok().json(answer));
            }
        }
        Err(error) => return Err(ApiError::Malformed(format!("the body is not valid JSON: {error}"))),
    }
    let agent = mcp.agent(Shopper { id: user.id, role: user.role });
    // Created for each message: it contains the caller and no other state.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None)
        .with_max_request_body_bytes(BODY_MAX)
        // rmcp's own checks of host and origin are off: the origin is checked above, and a page of another site has
        // no Bearer token.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let service =
        StreamableHttpService::new(move || Ok(agent.clone()), Arc::new(NeverSessionManager::default()), config);
    let answered = async {
        let (head, body) = service.handle(message(&req, body)?).await.into_parts();
        let Ok(body) = body.collect().await;
        Ok::<_, ApiError>((head, body.to_bytes()))
    };
    match timeout(WITHIN, answered).await {
        Ok(answer) => answer.and_then(|(head, body)| response(&head, body)),
        Err(_) => Err(ApiError::unavailable("ai-buddy")),
    }
}

/// The protocol's error for a call of a tool without a name, or with arguments that are no object. rmcp takes such a
/// message for one with an unknown method.
fn refused_call(message: &Value) -> Option<Value> {
    let id = message.get("id").filter(|id| id.is_string() || id.is_number())?;
    if message.get("jsonrpc")? != "2.0" || message.get("method")? != "tools/call" {
        return None;
    }
    let parameter = |name| message.pointer(name);
    let problem = match (parameter("/params/name"), parameter("/params/arguments")) {
        (Some(Value::String(_)), None | Some(Value::Null | Value::Object(_))) => return None,
        (Some(Value::String(_)), Some(_)) => "arguments must be an object",
        (None, _) => "name is required",
        (Some(_), _) => "name must be a string",
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": problem}}))
}

/// A body that the handler reads itself, after all other checks.
pub struct BodyOf(Payload);

impl FromRequest for BodyOf {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self(payload.take())))
    }
}

/// Refuses pages of other sites, even with a valid token.
fn check_origin(req: &HttpRequest) -> Result<(), ApiError> {
    let text = |name: &HeaderName| req.headers().get(name).map(|value| value.to_str().unwrap_or(""));
    match state(req)?.settings.origins.may_use_cookie(None, text(&ORIGIN), text(&HOST)) {
        true => Ok(()),
        false => Err(ApiError::Forbidden { code: "mcp.origin", message: "this origin may not call" }),
    }
}

/// The request in rmcp's type. The `Accept` header is fixed, because the response is always one JSON body.
fn message(req: &HttpRequest, body: Bytes) -> Result<http::Request<Full<Bytes>>, ApiError> {
    let mut message = http::Request::post("/mcp").header("accept", "application/json, text/event-stream");
    // rmcp requires a host header; its value does not matter, because the host check is off.
    message = message.header("host", "localhost");
    message = message.header("content-type", "application/json");
    let own = req.headers().iter().filter(|(name, _)| name.as_str().starts_with("mcp-"));
    for (name, value) in own {
        message = message.header(name.as_str(), value.as_bytes());
    }
    message.body(Full::new(body)).map_err(|_| ApiError::Malformed("a header is not valid".into()))
}

/// rmcp's response as an actix response; a refusal that is not JSON-RPC becomes this API's error.
fn response(head: &http::response::Parts, body: Bytes) -> Result<HttpResponse, ApiError> {
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::BAD_REQUEST);
    counter!("mcp_requests_total", "status" => status.as_u16().to_string()).increment(1);
    let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if status.is_success() || kind.starts_with("application/json") {
        let mut answer = HttpResponse::build(status);
        if !kind.is_empty() {
            answer.insert_header((CONTENT_TYPE, kind));
        }
        return Ok(answer.body(body));
    }
    let why = String::from_utf8_lossy(&body).chars().take(300).collect::<String>();
    Err(match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge("a body is at most 1 MiB".into()),
        status if status.is_server_error() => ApiError::Internal(format!("the MCP server answered {status}: {why}")),
        _ => ApiError::Malformed(format!("this is not a message of the Model Context Protocol: {why}")),
    })
}
