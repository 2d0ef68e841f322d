//! A server for the published conformance test suites of Engine.IO 4 and Socket.IO 5.
//!
//! ```text
//! PORT=3000 cargo run -p actix-socketio --example socketio_conformance
//! ```
//!
//! `/engine.io/` echoes every message. `/socket.io/` has the namespaces `/` and `/custom`: each
//! sends the client's `auth` data back as `auth`, answers `message` with `message-back`, and
//! acknowledges `message-with-ack` with its arguments, attachments included.
//!
//! The suites expect a ping after 300 ms. `PING_INTERVAL` sets another interval in milliseconds, for example to measure
//! the cost of many idle connections.

use std::{process::ExitCode, time::Duration};

use actix_cors::Cors;
use actix_socketio::{
    engine::{Engine, EngineConfig, Inbox, Protocol, Session},
    socket::{Accepted, Connecting, Event, Namespace, Refusal, Socket, SocketConfig, SocketHandler, SocketServer},
};
use actix_web::{App, HttpRequest, HttpServer};
use async_trait::async_trait;
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde_json::{Map, Value};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The time from accepting a client to its first event.
const BETWEEN: Duration = Duration::from_millis(10);

/// Echoes every message.
struct Echo;

impl Protocol for Echo {
    fn run(&self, session: Session, mut inbox: Inbox, _request: &HttpRequest) -> LocalBoxFuture<'static, ()> {
        async move {
            while let Some(message) = inbox.next().await {
                if session.send([message]).is_err() {
                    return;
                }
            }
        }
        .boxed_local()
    }
}

/// Accepts every client.
struct Open;

struct Mirror {
    socket: Socket,
    auth: Map<String, Value>,
}

#[async_trait]
impl Namespace for Open {
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal> {
        let handler = Mirror { socket: client.socket, auth: client.auth };
        Ok(Accepted { user: None, handler: Box::new(handler) })
    }
}

#[async_trait]
impl SocketHandler for Mirror {
    fn takes_attachments(&self) -> bool {
        true
    }

    async fn connected(&mut self) {
        // The suites listen for one message at a time and would miss one that arrives together with another.
        tokio::time::sleep(BETWEEN).await;
        let _gone = self.socket.emit("auth", Value::Object(std::mem::take(&mut self.auth)));
    }

    async fn event(&mut self, event: Event) -> Result<(), Refusal> {
        let _gone = match (event.name.as_str(), event.ack) {
            ("message", _) => self.socket.emit_data("message-back", event.data),
            ("message-with-ack", Some(ack)) => ack.send_data(event.data),
            _ => Ok(()),
        };
        Ok(())
    }
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> Result<T, String> {
    let Some(value) = std::env::var_os(name) else { return Ok(default) };
    let value = value.to_string_lossy();
    value.parse().map_err(|_error| format!("{name} is not a valid number: \"{value}\""))
}

async fn serve(port: u16, ping_interval: u32) -> std::io::Result<()> {
    let config = EngineConfig {
        ping_interval: Duration::from_millis(ping_interval.into()),
        ping_timeout: Duration::from_millis(200),
        max_payload: 1_000_000,
        ..EngineConfig::default()
    };
    let sockets = SocketConfig { connect_timeout: Duration::from_secs(1), rate: None, ..SocketConfig::default() };
    let namespaces = SocketServer::new(sockets).namespace("/", Open).namespace("/custom", Open);
    let (engine, socket) = (Engine::new(config.clone(), Echo), Engine::new(config, namespaces));
    // One worker, because the suites send over several connections at once and expect the messages to be read in order.
    let (of_engine, of_socket) = (engine.clone(), socket.clone());
    let server = HttpServer::new(move || {
        App::new()
            .wrap(Cors::permissive())
            .service(of_engine.resource("/engine.io"))
            .service(of_socket.resource("/socket.io"))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(5)
    .bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        let mut terminated = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(error) => return eprintln!("SIGTERM cannot be heard: {error}"),
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        engine.shutdown();
        socket.shutdown();
        handle.stop(true).await;
    });
    server.await
}

#[actix_web::main]
async fn main() -> ExitCode {
    let ended = match (number("PORT", 3000), number("PING_INTERVAL", 300)) {
        (Ok(port), Ok(interval)) => {
            serve(port, interval).await.map_err(|error| format!("cannot serve on port {port}: {error}"))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
