//! The app with all routes, and the server that runs it.
//!
//! **Invariant:** every limit that a client can reach is set here: connections, time to send a request's head, idle
//! time of a connection, time to drain.

use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};

use actix_cors::Cors;
use actix_http::{HttpService, Protocol};
use actix_rt::net::TcpStream;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse},
    http::KeepAlive,
    middleware::Condition,
    web::{self, Data},
};
use rustix::net::sockopt;
use utoipa::openapi::OpenApi;

use super::{
    Register,
    connection::Connection,
    docs, fallback,
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
/// How long the kernel tries to send to a client that is not there.
const STALLED_FOR: Duration = Duration::from_secs(20);
/// What the kernel holds for a client that does not read, in bytes; it takes twice as much for its own needs.
const SEND_BUFFER: usize = 64 * 1024;
/// What is made of an answer before its client takes it, in bytes.
const WRITE_BUFFER: usize = 8 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

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

/// Bounds what the kernel holds for a client that does not read, and for how long.
fn bound(stream: &TcpStream) {
    let milliseconds = u32::try_from(STALLED_FOR.as_millis()).unwrap_or(u32::MAX);
    let set = sockopt::set_tcp_user_timeout(stream, milliseconds)
        .and_then(|()| sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER))
        .and_then(|()| sockopt::set_tcp_nodelay(stream, true));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection has no deadline on reading");
    }
}

/// Listens on every address of a host.
fn listen(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = vec![];
    let mut refused = None;
    for address in (host, port).to_socket_addrs()? {
        let listening = TcpListener::bind(address).and_then(|listener| {
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(listener)
        });
        match listening {
            Ok(listener) => listeners.push(listener),
            Err(error) => refused = Some(error),
        }
    }
    if listeners.is_empty() {
        Err(refused.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    } else {
        Ok(listeners)
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
    let listeners = listen(&host, port).map_err(failed)?;
    let address = listeners.first().map(TcpListener::local_addr).transpose().map_err(failed)?;
    let address = address.ok_or_else(|| failed(io::Error::from(io::ErrorKind::AddrNotAvailable)))?;
    let mut server = Server::build()
        .workers(workers.max(1))
        .max_concurrent_connections(max_connections)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals();
    let ending = server.graceful_shutdown_signal();
    for listener in listeners {
        let (shared, routes, ending) = (shared.clone(), routes.clone(), ending.clone());
        // As actix-web's own server does it, over a connection that bounds what its client may leave unread.
        server = server
            .listen("http", listener, move || {
                let ending = ending.clone();
                let app = app(&shared, routes.clone()).into_factory().map_err(|error: Error| error.error_response());
                let http = HttpService::build()
                    .graceful_shutdown_signal(move || {
                        let ending = ending.clone();
                        async move { ending.notified().await }
                    })
                    .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
                    .client_request_timeout(request_timeout)
                    .client_disconnect_timeout(CLOSE_DEADLINE)
                    .h1_write_buffer_size(WRITE_BUFFER)
                    .on_connect_ext(|connection: &Connection, data| {
                        data.insert(connection.reader());
                    })
                    .finish(map_config(app, |()| AppConfig::default()));
                fn_service(|stream: TcpStream| async move {
                    let peer = stream.peer_addr().ok();
                    bound(&stream);
                    Ok((Connection::new(stream), Protocol::Http1, peer))
                })
                .and_then(http)
            })
            .map_err(failed)?;
    }
    Ok((server.run(), address))
}
