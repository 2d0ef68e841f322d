//! Serves what the published test suites of Engine.IO 4 and Socket.IO 5 ask of a server.
//!
//! ```text
//! PORT=3000 cargo run --example socketio_conformance
//! ```
//!
//! `/engine.io/` sends every message back. `/socket.io/` has the namespaces `/` and `/custom`: each
//! sends `auth` with what the client showed, answers `message` with `message-back`, and
//! acknowledges `message-with-ack` with its arguments, attachments included.

use std::{process::ExitCode, time::Duration};

use actix_cors::Cors;
use actix_web::{App, HttpRequest, HttpServer};
use async_trait::async_trait;
use futures_util::{FutureExt, future::LocalBoxFuture};
use microbazaar::ws::{
    engine::{Engine, EngineConfig, Inbox, Protocol, Session},
    socket::{Accepted, Connecting, Event, Namespace, Refusal, Socket, SocketConfig, SocketHandler, SocketServer},
};
use serde_json::{Map, Value};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sends every message back.
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

/// Accepts everyone.
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

fn port() -> Result<u16, String> {
    let Some(port) = std::env::var_os("PORT") else { return Ok(3000) };
    let port = port.to_string_lossy();
    port.parse().map_err(|_error| format!("PORT is a number up to 65535, and not \"{port}\""))
}

async fn serve(port: u16) -> std::io::Result<()> {
    let config = EngineConfig {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 1_000_000,
        ..EngineConfig::default()
    };
    let sockets = SocketConfig { connect_timeout: Duration::from_secs(1), rate: None, ..SocketConfig::default() };
    let namespaces = SocketServer::new(sockets).namespace("/", Open).namespace("/custom", Open);
    let (engine, socket) = (Engine::new(config.clone(), Echo), Engine::new(config, namespaces));
    // One worker: the suites send by several connections at once and expect to be read in order.
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
    let ended = match port() {
        Ok(port) => serve(port).await.map_err(|error| format!("cannot serve on port {port}: {error}")),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
