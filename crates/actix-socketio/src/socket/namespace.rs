//! The traits that an application implements to serve sockets.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN},
    web::Query,
};
use async_trait::async_trait;
use serde_json::{Map, Value as Json};

use super::{Ack, Data, Socket};
use crate::engine::CloseReason;

/// The data of the request that opened the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Cookie`.
    pub cookie: Option<String>,
    /// The header `Origin`.
    pub origin: Option<String>,
    /// The header `Host`.
    pub host: Option<String>,
    /// The header `Sec-Fetch-Site`.
    pub fetch_site: Option<String>,
    /// The query as sent.
    pub query: String,
    /// The address of the client, or of the proxy before it.
    pub peer: Option<IpAddr>,
}

impl Handshake {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let header = |name: HeaderName| request.headers().get(name)?.to_str().ok().map(str::to_owned);
        Self {
            authorization: header(AUTHORIZATION),
            cookie: header(COOKIE),
            origin: header(ORIGIN),
            host: header(HOST).or_else(|| request.uri().authority().map(ToString::to_string)),
            fetch_site: header(HeaderName::from_static("sec-fetch-site")),
            query: request.query_string().to_owned(),
            peer: request.peer_addr().map(|address| address.ip()),
        }
    }

    /// The query's parameters; a plain WebSocket sends its credentials there.
    #[must_use]
    pub fn parameters(&self) -> Map<String, Json> {
        let parameters = Query::<Vec<(String, String)>>::from_query(&self.query);
        let parameters = parameters.map(Query::into_inner).unwrap_or_default();
        parameters.into_iter().map(|(name, value)| (name, Json::String(value))).collect()
    }

    /// The token of `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.as_deref()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.cookie.as_deref()?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }
}

/// A client that wants to join a namespace.
pub struct Connecting {
    /// Its socket, which can send once the client is accepted.
    pub socket: Socket,
    /// The client's credentials: `auth` of the client's options, or the query parameters of a plain
    /// WebSocket.
    pub auth: Map<String, Json>,
    /// The data of the connection's first request.
    pub handshake: Arc<Handshake>,
}

/// The error that a client receives when it is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable code for programs.
    pub code: String,
    /// A message for people; for a refused connection, the message of `connect_error`.
    pub message: String,
}

impl Refusal {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// An accepted client.
pub struct Accepted {
    /// The user that the socket counts for; `None` for no limit.
    pub user: Option<String>,
    /// Handles the socket's events.
    pub handler: Box<dyn SocketHandler>,
}

/// An event from a client.
pub struct Event {
    pub name: String,
    /// The arguments, and the attachments if the handler takes them.
    pub data: Data,
    /// Set when the client waits for an acknowledgement.
    pub ack: Option<Ack>,
}

/// Why a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client left the namespace.
    Client,
    /// The server ended the socket.
    Server,
    /// The connection ended.
    Closed(CloseReason),
}

/// A namespace: accepts or refuses clients.
#[async_trait]
pub trait Namespace: Send + Sync + 'static {
    /// Accepts or refuses a client.
    ///
    /// # Errors
    /// A [`Refusal`], whose message the client gets as `connect_error`.
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal>;
}

/// Handles one socket. Its methods are called one at a time, each with the deadline
/// [`SocketConfig::handler_deadline`](super::SocketConfig::handler_deadline): longer work
/// belongs in an actor that has a clone of the [`Socket`].
#[async_trait]
pub trait SocketHandler: Send {
    /// Whether the handler takes events with attachments; otherwise the client gets `error`.
    fn takes_attachments(&self) -> bool {
        false
    }

    /// Called after the client was accepted.
    async fn connected(&mut self) {}

    /// Called before each event: checks whether the client is still authorized.
    ///
    /// # Errors
    /// A [`Refusal`]: the client gets it as `error`, and the socket ends.
    async fn authorize(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Called with each event of the client.
    ///
    /// # Errors
    /// A [`Refusal`]: the client gets it as `error`, and the socket stays.
    async fn event(&mut self, event: Event) -> Result<(), Refusal>;

    /// Called once, after the socket has ended.
    async fn disconnected(&mut self, reason: DisconnectReason) {
        let _any = reason;
    }
}
