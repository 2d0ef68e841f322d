//! What an application answers sockets with.

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

/// What the request that opened the connection said.
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
    /// The query as it was sent.
    pub query: String,
    /// Who connected: the client, or the proxy before it.
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

    /// The query's parameters: what the client of a plain WebSocket shows to be let in.
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
    /// Its socket, which may send once the client has been accepted.
    pub socket: Socket,
    /// What it showed to be let in: `auth` of the client's options, or the parameters of a plain
    /// WebSocket's query.
    pub auth: Map<String, Json>,
    /// What the connection's first request said.
    pub handshake: Arc<Handshake>,
}

/// What the client is told when it is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable, for programs.
    pub code: String,
    /// For people; of a refused connection, the message of `connect_error`.
    pub message: String,
}

impl Refusal {
    /// With a code and a sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// Who answers a socket that was accepted.
pub struct Accepted {
    /// Whose socket it is: the bound on sockets a user counts by it. `None` is not counted.
    pub user: Option<String>,
    /// Answers it.
    pub handler: Box<dyn SocketHandler>,
}

/// One event of a client.
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its arguments, and attachments if the handler takes them.
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
    /// The connection under it ended.
    Closed(CloseReason),
}

/// A namespace: accepts or refuses clients.
#[async_trait]
pub trait Namespace: Send + Sync + 'static {
    /// Decides about a client.
    ///
    /// # Errors
    /// A [`Refusal`], whose message the client gets as `connect_error`.
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal>;
}

/// Answers one socket. Its methods are called one after the other, each with the deadline of
/// [`SocketConfig::handler_deadline`](super::SocketConfig::handler_deadline): what takes longer
/// belongs into an actor that has a clone of the [`Socket`].
#[async_trait]
pub trait SocketHandler: Send {
    /// Whether events with attachments are handed over; otherwise the client gets `error`.
    fn takes_attachments(&self) -> bool {
        false
    }

    /// The client knows that it is accepted.
    async fn connected(&mut self) {}

    /// Asked before each event: whether the client may still be there.
    ///
    /// # Errors
    /// A [`Refusal`]: the client gets it as `error`, and the socket ends.
    async fn authorize(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    /// The client sent an event.
    ///
    /// # Errors
    /// A [`Refusal`]: the client gets it as `error`, and the socket stays.
    async fn event(&mut self, event: Event) -> Result<(), Refusal>;

    /// The socket is over. Called once.
    async fn disconnected(&mut self, reason: DisconnectReason) {
        let _any = reason;
    }
}
