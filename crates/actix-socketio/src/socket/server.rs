//! The server: its namespaces, and the protocol that runs on each session.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use actix_web::HttpRequest;
use futures_util::{FutureExt, future::LocalBoxFuture};

use super::{Handshake, Namespace, SocketConfig, connection::Connection, socket_counts::SocketCounts};
use crate::engine::{Inbox, Protocol, Refusal, Session};

type AddressOf = Box<dyn Fn(&HttpRequest) -> IpAddr + Send + Sync>;
type OriginCheck = Box<dyn Fn(&HttpRequest) -> Result<(), Refusal> + Send + Sync>;

/// A Socket.IO server. It is served as the protocol of an [`Engine`](crate::engine::Engine).
pub struct SocketServer {
    state: Arc<ServerState>,
    check: OriginCheck,
    address: Option<AddressOf>,
}

pub(super) struct ServerState {
    pub(super) config: SocketConfig,
    pub(super) namespaces: HashMap<Arc<str>, Box<dyn Namespace>>,
    pub(super) socket_counts: Arc<SocketCounts>,
}

impl SocketServer {
    /// A server without namespaces that accepts requests of any origin.
    #[must_use]
    pub fn new(config: SocketConfig) -> Self {
        let state = ServerState { config, namespaces: HashMap::new(), socket_counts: Arc::default() };
        Self { state: Arc::new(state), check: Box::new(|_| Ok(())), address: None }
    }

    /// Adds a namespace; `/` is the one that clients join by default.
    #[must_use]
    pub fn namespace(mut self, name: &str, namespace: impl Namespace) -> Self {
        if let Some(state) = Arc::get_mut(&mut self.state) {
            state.namespaces.insert(Arc::from(name), Box::new(namespace));
        }
        self
    }

    /// Adds a check that every request has to pass, for example of its origin.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&HttpRequest) -> Result<(), Refusal> + Send + Sync + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    /// Tells the address of a request's client, where that is not the peer's.
    #[must_use]
    pub fn address(mut self, of: impl Fn(&HttpRequest) -> IpAddr + Send + Sync + 'static) -> Self {
        self.address = Some(Box::new(of));
        self
    }
}

impl Protocol for SocketServer {
    fn allow(&self, request: &HttpRequest) -> Result<(), Refusal> {
        (self.check)(request)
    }

    fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        match &self.address {
            Some(of) => Some(of(request)),
            None => request.peer_addr().map(|peer| peer.ip()),
        }
    }

    fn run(&self, session: Session, inbox: Inbox, request: &HttpRequest) -> LocalBoxFuture<'static, ()> {
        let connection = Connection::new(Arc::clone(&self.state), session, Handshake::of(request));
        connection.run(inbox).boxed_local()
    }
}
