//! Engine.IO 4: sessions of clients that poll, use a WebSocket, or move from one to the other.
//!
//! [`Engine`] answers one path. A session is the state in `session`, which HTTP handlers
//! (`routes`) and the WebSocket actor (`websocket`) change under one lock, and a task
//! (`driver`) that keeps its heartbeat and runs the [`Protocol`] on it. The task ends with the
//! session, whichever transport comes or goes in between.
//!
//! **Invariant:** a session that is closed leaves the registry within [`EngineConfig::linger`] and
//! the protocol's deadline, and what it had queued is dropped with it.

mod config;
mod driver;
mod outbox;
mod refusal;
mod registry;
mod routes;
mod session;
mod websocket;

#[cfg(test)]
mod tests;

use actix_web::HttpRequest;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use crate::framing::engine::Str;
pub use config::EngineConfig;
pub use refusal::Refusal;
pub use registry::Engine;
pub use session::{CloseReason, Inbox, SendError, Session};

/// What a client or a protocol sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Text.
    Text(Str),
    /// Bytes.
    Binary(Bytes),
}

/// What runs on sessions.
pub trait Protocol: Send + Sync + 'static {
    /// Whether requests like this one are taken at all: the place for a check of the origin. Asked
    /// for every request.
    ///
    /// # Errors
    /// What the client is told instead.
    fn allow(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let _any = request;
        Ok(())
    }

    /// Runs on a new session until it returns, which closes the session. After the session was
    /// closed otherwise, [`Inbox::next`] gives `None`, and [`EngineConfig::end_deadline`] is left.
    fn run(&self, session: Session, inbox: Inbox, request: &HttpRequest) -> LocalBoxFuture<'static, ()>;
}
