//! Engine.IO 4: sessions of clients that poll, use a WebSocket, or upgrade from one to the other.
//!
//! [`Engine`] serves one path. A session consists of the state in `session`, which HTTP handlers
//! (`routes`) and the WebSocket actor (`websocket`) change under one lock, and a task
//! (`session_task`) that runs the heartbeat and the [`Protocol`]. The task ends with the
//! session and is independent of the transports.
//!
//! **Invariant:** a closed session is removed from the registry within [`EngineConfig::linger`] plus
//! the protocol's deadline, and its queued packets are dropped with it.

mod anonymous;
mod config;
mod outbox;
mod refusal;
mod registry;
mod routes;
mod session;
mod session_task;
mod websocket;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use actix_web::HttpRequest;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use crate::framing::engine::Str;
pub use config::EngineConfig;
pub use refusal::Refusal;
pub use registry::Engine;
pub use session::{CloseReason, Inbox, SendError, Session};

/// A message from or to a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Text(Str),
    Binary(Bytes),
}

/// The protocol that runs on the sessions of an engine.
pub trait Protocol: Send + Sync + 'static {
    /// Decides whether a request is accepted, for example by its origin. Called for every request.
    ///
    /// # Errors
    /// The answer for a request that is refused.
    fn allow(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let _any = request;
        Ok(())
    }

    /// The address that a session counts for until its client has said who it is; the peer's by default, which may be a
    /// proxy's.
    fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        request.peer_addr().map(|peer| peer.ip())
    }

    /// Runs on a new session until it returns, which closes the session. If the session is closed in another way,
    /// [`Inbox::next`] returns `None`, and the protocol has to return within [`EngineConfig::end_deadline`].
    fn run(&self, session: Session, inbox: Inbox, request: &HttpRequest) -> LocalBoxFuture<'static, ()>;
}
