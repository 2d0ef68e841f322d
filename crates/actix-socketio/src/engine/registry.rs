//! The sessions of one engine.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_web::{HttpRequest, Resource, web};
use parking_lot::RwLock;
use tokio::time::Instant;

use super::{CloseReason, EngineConfig, Protocol, Refusal, Session, anonymous::Anonymous, routes, session_task};
use crate::framing::engine::Sid;

/// An Engine.IO server for one protocol. Clones share their sessions.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<EngineState>);

pub(super) struct EngineState {
    pub(super) config: Arc<EngineConfig>,
    pub(super) protocol: Box<dyn Protocol>,
    sessions: RwLock<HashMap<Sid, Session>>,
    anonymous: Arc<Anonymous>,
    ending: AtomicBool,
}

impl Engine {
    /// An engine that runs `protocol` on every session.
    #[must_use]
    pub fn new(config: EngineConfig, protocol: impl Protocol) -> Self {
        Self(Arc::new(EngineState {
            config: Arc::new(config),
            protocol: Box::new(protocol),
            sessions: RwLock::default(),
            anonymous: Arc::default(),
            ending: AtomicBool::new(false),
        }))
    }

    /// Serves this path, with and without a trailing slash. Several paths may share an engine.
    pub fn resource(&self, path: &str) -> Resource {
        let bare = path.trim_end_matches('/');
        let engine = self.clone();
        web::resource([format!("{bare}/"), bare.to_owned()])
            .to(move |request: HttpRequest, payload: web::Payload| routes::handle(engine.clone(), request, payload))
    }

    /// Serves this path with WebSockets without Engine.IO: each is a session whose messages are its
    /// frames ([`Session::is_plain`]), kept alive by WebSocket pings.
    pub fn plain_resource(&self, path: &str) -> Resource {
        let engine = self.clone();
        web::resource(path.to_owned()).to(move |request: HttpRequest, payload: web::Payload| {
            let engine = engine.clone();
            async move { routes::handle_plain(&engine, &request, payload) }
        })
    }

    /// The number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.sessions.read().len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes every session and opens no more. Call it before stopping the HTTP server, which waits for
    /// its connections.
    pub fn shutdown(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
        let sessions: Vec<Session> = self.0.sessions.read().values().cloned().collect();
        for session in sessions {
            session.close(CloseReason::Shutdown);
        }
    }

    pub(super) fn session(&self, sid: &str) -> Result<Session, Refusal> {
        let sid: Sid = sid.parse().map_err(|_| Refusal::UnknownSession)?;
        self.0.sessions.read().get(&sid).cloned().ok_or(Refusal::UnknownSession)
    }

    /// Opens a session and runs the protocol on it, on the current thread.
    pub(super) fn open(&self, request: &HttpRequest, plain: bool) -> Result<Session, Refusal> {
        let (session, inbox) = Session::new(Arc::clone(&self.0.config), plain, Instant::now());
        {
            let mut sessions = self.0.sessions.write();
            // Checked under the lock, because a shutdown closes all sessions that are registered by then.
            if self.0.ending.load(Ordering::SeqCst) || sessions.len() >= self.0.config.max_sessions {
                return Err(Refusal::Busy);
            }
            sessions.insert(session.id(), session.clone());
        }
        let address = self.0.protocol.address(request);
        if let Some(oldest) = self.0.anonymous.add(address, session.clone(), &self.0.config) {
            oldest.close(CloseReason::Slow);
        }
        let registered = Registered { engine: self.clone(), session: session.clone() };
        let protocol = self.0.protocol.run(session.clone(), inbox, request);
        let _ends_with_its_session = actix_rt::spawn(session_task::run_session(registered, protocol));
        Ok(session)
    }
}

/// A registered session; it is removed when this is dropped.
pub(super) struct Registered {
    engine: Engine,
    session: Session,
}

impl Registered {
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The session is still open if its task panicked or its thread ends.
        self.session.close(CloseReason::Server);
        self.session.identified();
        let mut sessions = self.engine.0.sessions.write();
        sessions.remove(&self.session.id());
        if sessions.capacity() > 1024 && sessions.capacity() > 4 * sessions.len() {
            sessions.shrink_to_fit();
        }
    }
}
