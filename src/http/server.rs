//! The app with all routes, and the server that runs it.
//!
//! **Invariant:** every limit that a client can reach is set here: connections, time to send a request's head, idle
//! time of a connection, time to drain.

use std::{any::Any, io, net::SocketAddr, time::Duration};

use actix_cors::Cors;
use actix_rt::net::TcpStream;
use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse},
    http::KeepAlive,
    middleware::Condition,
    web::{self, Data},
};
use rustix::net::sockopt;
use utoipa::openapi::OpenApi;

use super::{
    Register, docs, fallback,
    middleware::RequestMiddleware,
    openapi, ops, pages,
    state::{HttpSettings, State},
};

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a connection may take to close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// How long running requests may take to finish after the server is asked to stop, in seconds.
const DRAIN_SECONDS: u64 = 30;
/// How long a client may read nothing of what is sent to it.
const STALLED_FOR: Duration = Duration::from_secs(20);
/// What the kernel holds for a client that does not read, in bytes; it takes twice as much for its own needs.
const SEND_BUFFER: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {}", reason(.error))]
    Bind { host: String, port: u16, error: io::Error },
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses this port".to_owned(),
        io::ErrorKind::PermissionDenied => "this port needs more rights than the program has".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

/// The app: the operational endpoints, what `routes` adds, and the middleware.
///
/// `routes` registers handlers and their app data. Without the web shop, `GET /` returns the name and state as JSON.
pub fn app<R: Fn(&mut Register<'_>) + Send + Sync + Clone + 'static>(
    state: &Data<State>,
    routes: R,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<R>>,
        Error = Error,
        InitError = (),
    > + use<R>,
> {
    let web_shop = state.settings.web_shop;
    let described = routes.clone();
    state.describe_by(move || document(web_shop, &described));
    let cross_origin = !state.settings.origins.allowed.is_empty();
    App::new()
        .configure(|app| assemble(&mut Register::App(app), web_shop, routes))
        .app_data(state.clone())
        .default_service(web::to(fallback::fallback))
        .wrap(Condition::new(cross_origin, cors(&state.settings)))
        .wrap(RequestMiddleware::new(&state.settings))
}

/// The OpenAPI document of `routes`, without an app.
#[must_use]
pub fn document(web_shop: bool, routes: impl FnOnce(&mut Register<'_>)) -> OpenApi {
    let mut document = openapi::base();
    assemble(&mut Register::Document(&mut document), web_shop, routes);
    openapi::finish(document)
}

fn assemble(register: &mut Register<'_>, web_shop: bool, routes: impl FnOnce(&mut Register<'_>)) {
    register.service(ops::healthz).service(ops::readyz).service(ops::metrics);
    register.service(openapi::openapi_json).service(docs::docs);
    if web_shop {
        // Before the routes, so that browsers get its home page.
        register.in_app(pages::configure);
    }
    routes(register);
    register.service(ops::root);
}

fn cors(settings: &HttpSettings) -> Cors {
    let origins = settings.origins.allowed.iter().map(|origin| origin.trim_end_matches('/'));
    origins
        .fold(Cors::default(), Cors::allowed_origin)
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "x-request-id",
            "accept",
            "if-match",
            "if-none-match",
            "traceparent",
            "mcp-method",
            "mcp-name",
            "mcp-protocol-version",
            "mcp-session-id",
        ])
        .expose_headers([
            "etag",
            "link",
            "location",
            "retry-after",
            "www-authenticate",
            "x-total-count",
            "x-request-id",
            "idempotent-replayed",
            "traceresponse",
            "mcp-session-id",
        ])
        .supports_credentials()
        .max_age(600)
}

/// Bounds what a connection may cost whose client does not read: the kernel ends it when nothing is taken for
/// [`STALLED_FOR`], and holds little of it until then.
fn bound(connection: &dyn Any) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let milliseconds = u32::try_from(STALLED_FOR.as_millis()).unwrap_or(u32::MAX);
    let set = sockopt::set_tcp_user_timeout(stream, milliseconds)
        .and_then(|()| sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection has no deadline on reading");
    }
}

/// Binds and starts the server; it runs until its handle stops it. Must be called within an actix system. The caller
/// handles signals.
///
/// # Errors
/// [`StartError`] in one clear sentence.
pub fn start(
    state: &Data<State>,
    routes: impl Fn(&mut Register<'_>) + Send + Sync + Clone + 'static,
) -> Result<(Server, SocketAddr), StartError> {
    let HttpSettings { host, port, workers, max_connections, request_timeout, .. } = state.settings.clone();
    let shared = state.clone();
    let failed = |error| StartError::Bind { host: host.clone(), port, error };
    let server = HttpServer::new(move || app(&shared, routes.clone()))
        .workers(workers.max(1))
        .max_connections(max_connections)
        .backlog(BACKLOG)
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        .client_request_timeout(request_timeout)
        .client_disconnect_timeout(CLOSE_DEADLINE)
        .shutdown_timeout(DRAIN_SECONDS)
        .tcp_nodelay(true)
        .on_connect(|connection, _| bound(connection))
        .disable_signals()
        .bind((host.as_str(), port))
        .map_err(failed)?;
    let address = server.addrs().first().copied();
    let address = address.ok_or_else(|| failed(io::Error::from(io::ErrorKind::AddrNotAvailable)))?;
    Ok((server.run(), address))
}
