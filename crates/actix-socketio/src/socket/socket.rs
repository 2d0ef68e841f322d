//! A socket, the handle for sending to a client.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, oneshot};

use super::{Data, Refusal};
use crate::{
    engine::{CloseReason, Message, SendError, Session},
    framing::{
        engine::Sid,
        plain,
        socket::{self, Outgoing},
    },
};

/// The maximum number of pending acknowledgements of one socket.
const PENDING_MAX: usize = 64;

/// A client in a namespace. Clones refer to the same socket; it may be kept after the client has gone.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: String,
    namespace: Arc<str>,
    session: Session,
    over: AtomicBool,
    /// Notifies the connection, which then removes sockets that have ended.
    ended: Arc<Notify>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    next: i64,
    waiting: HashMap<i64, oneshot::Sender<Data>>,
}

/// Why an event was not sent, or not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The socket has ended.
    #[error("the socket is over")]
    Closed,
    /// The client is too slow; its session was closed for it.
    #[error("the client is too slow")]
    Slow,
    /// Too many acknowledgements are pending.
    #[error("too many acknowledgements are pending")]
    Busy,
    /// No acknowledgement arrived in time.
    #[error("no acknowledgement in time")]
    Deadline,
}

impl From<SendError> for EmitError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            SendError::Slow => Self::Slow,
        }
    }
}

impl Socket {
    pub(super) fn new(namespace: Arc<str>, session: Session, ended: Arc<Notify>) -> Self {
        Self(Arc::new(Inner {
            id: Sid::new().to_string(),
            namespace,
            session,
            over: AtomicBool::new(false),
            ended,
            pending: Mutex::default(),
        }))
    }

    /// The socket id, which the client knows as well. It is not the session id and gives no rights.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Whether the socket has ended, so that nothing can be sent over it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.over.load(Ordering::SeqCst) || self.0.session.closed().is_some()
    }

    /// Sends an event with one argument.
    ///
    /// # Errors
    /// [`EmitError`]. Success does not mean that the event arrives.
    pub fn emit(&self, name: &str, argument: Json) -> Result<(), EmitError> {
        self.emit_data(name, Data::new(vec![argument]))
    }

    /// Sends an event with any number of arguments and their attachments.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn emit_data(&self, name: &str, data: Data) -> Result<(), EmitError> {
        if self.0.session.is_plain() {
            // A plain frame has one argument and no attachments.
            let argument = data.args.into_iter().next().unwrap_or_default();
            return self.send(Outgoing { text: plain::event(name, argument), attachments: vec![] });
        }
        self.send(socket::event(self.namespace(), name, data, None))
    }

    /// Sends the event `error` with its code and message.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn emit_error(&self, refusal: &Refusal) -> Result<(), EmitError> {
        self.emit("error", json!({ "code": refusal.code, "message": refusal.message }))
    }

    /// Sends an event and waits for the client's acknowledgement, which only Socket.IO supports.
    ///
    /// # Errors
    /// [`EmitError`].
    pub async fn emit_with_ack(&self, name: &str, data: Data, deadline: Duration) -> Result<Data, EmitError> {
        if self.0.session.is_plain() {
            return Err(EmitError::Deadline);
        }
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut pending = self.0.pending.lock();
            pending.waiting.retain(|_, waiting| !waiting.is_closed());
            if pending.waiting.len() >= PENDING_MAX {
                return Err(EmitError::Busy);
            }
            let id = pending.next;
            pending.next = id.wrapping_add(1) & i64::MAX;
            pending.waiting.insert(id, sender);
            id
        };
        self.send(socket::event(self.namespace(), name, data, Some(id)))?;
        match tokio::time::timeout(deadline, receiver).await {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(_)) => Err(EmitError::Closed),
            Err(_) => Err(EmitError::Deadline),
        }
    }

    /// Ends the socket: the client leaves the namespace and does not reconnect by itself.
    pub fn disconnect(&self) {
        if !self.0.over.swap(true, Ordering::SeqCst) {
            if self.0.session.is_plain() {
                self.0.session.close(CloseReason::Server);
            } else {
                let _closed_already = self.0.session.send(messages(socket::disconnected(self.namespace())));
            }
            self.0.pending.lock().waiting.clear();
            self.0.ended.notify_one();
        }
    }

    pub(super) fn accept(&self) -> Result<(), EmitError> {
        if self.0.session.is_plain() {
            return Ok(());
        }
        self.send(socket::connected(self.namespace(), self.id()))
    }

    /// Marks the socket as ended, so that nothing more is sent.
    pub(super) fn end(&self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.pending.lock().waiting.clear();
    }

    pub(super) fn acknowledged(&self, id: i64, data: Data) {
        if let Some(waiting) = self.0.pending.lock().waiting.remove(&id) {
            let _gone = waiting.send(data);
        }
    }

    fn send(&self, outgoing: Outgoing) -> Result<(), EmitError> {
        if self.0.over.load(Ordering::SeqCst) {
            return Err(EmitError::Closed);
        }
        Ok(self.0.session.send(messages(outgoing))?)
    }
}

pub(super) fn messages(outgoing: Outgoing) -> Vec<Message> {
    let attachments = outgoing.attachments.into_iter().map(Message::Binary);
    std::iter::once(Message::Text(outgoing.text)).chain(attachments).collect()
}

/// The acknowledgement of an event that the client waits for. It may be sent at any later time.
pub struct Ack {
    pub(super) socket: Socket,
    pub(super) id: i64,
}

impl Ack {
    /// Acknowledges with one argument.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn send(self, argument: Json) -> Result<(), EmitError> {
        self.send_data(Data::new(vec![argument]))
    }

    /// Acknowledges with any number of arguments and their attachments.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn send_data(self, data: Data) -> Result<(), EmitError> {
        self.socket.send(socket::acknowledged(self.socket.namespace(), self.id, data))
    }
}
