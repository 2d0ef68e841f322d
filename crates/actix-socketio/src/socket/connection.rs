//! One connection: its sockets, and the packets of its client in order.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use serde_json::{Map, Value as Json, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Ack, Connecting, Data, DisconnectReason, Event, Handshake, Refusal, Socket, SocketHandler,
    rate::{Bucket, Verdict},
    server::ServerState,
    socket::messages,
    socket_counts::CountedSocket,
};
use crate::{
    engine::{CloseReason, Inbox, Message, Session},
    framing::{
        plain,
        socket::{self, AttachmentLimits, Decoder, Incoming},
    },
};

pub(super) struct Connection {
    server: Arc<ServerState>,
    session: Session,
    handshake: Arc<Handshake>,
    decoder: Decoder,
    sockets: BTreeMap<Arc<str>, Joined>,
    ended: Arc<Notify>,
    bucket: Option<Bucket>,
    /// Since when the connection is in no namespace.
    idle_since: Instant,
}

struct Joined {
    socket: Socket,
    handler: Box<dyn SocketHandler>,
    _counted: Option<CountedSocket>,
}

impl Connection {
    pub(super) fn new(server: Arc<ServerState>, session: Session, handshake: Handshake) -> Self {
        let now = Instant::now();
        let config = &server.config;
        let limits = AttachmentLimits {
            count: config.attachments,
            bytes: config.attachments_bytes,
            within: config.attachments_within,
        };
        Self {
            decoder: Decoder::new(limits),
            bucket: config.rate.map(|rate| Bucket::new(rate, now)),
            handshake: Arc::new(handshake),
            sockets: BTreeMap::new(),
            ended: Arc::default(),
            idle_since: now,
            server,
            session,
        }
    }

    /// Runs until the session is closed, or closes it.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        let ended = Arc::clone(&self.ended);
        if self.session.is_plain() {
            self.connect("/", self.handshake.parameters()).await;
            if self.sockets.is_empty() {
                return;
            }
        }
        loop {
            let deadline = self.deadline();
            let message = tokio::select! {
                message = inbox.next() => message,
                () = ended.notified() => {
                    self.remove_ended().await;
                    continue;
                }
                () = until(deadline) => {
                    tracing::debug!("a connection joined no namespace, or sent no attachments, in time");
                    self.session.close(CloseReason::Slow);
                    break;
                }
            };
            let Some(message) = message else { break };
            let Ok(packet) = self.decode(message) else {
                self.session.close(CloseReason::ParseError);
                break;
            };
            if let Some(packet) = packet {
                self.packet(packet).await;
            }
        }
        let reason = DisconnectReason::Closed(self.session.closed().unwrap_or(CloseReason::Server));
        for joined in std::mem::take(&mut self.sockets).into_values() {
            self.end(joined, reason).await;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let config = &self.server.config;
        if self.decoder.is_incomplete() {
            return Some(Instant::now() + config.attachments_within);
        }
        self.sockets.is_empty().then(|| self.idle_since + config.connect_timeout)
    }

    fn decode(&mut self, message: Message) -> Result<Option<Incoming>, ()> {
        if self.session.is_plain() {
            return Ok(self.decode_plain(message));
        }
        let decoded = match message {
            Message::Text(text) => self.decoder.text(text),
            Message::Binary(bytes) => self.decoder.binary(bytes),
        };
        decoded.map_err(|error| tracing::debug!(%error, "a connection sent an invalid packet"))
    }

    /// Decodes a frame of a plain WebSocket; one that is not an event is answered with an error and changes nothing.
    fn decode_plain(&self, message: Message) -> Option<Incoming> {
        let refusal = match message {
            Message::Text(text) => match plain::read(&text) {
                Ok((name, argument)) => {
                    let data = Data::new(vec![argument]);
                    return Some(Incoming::Event { namespace: "/".to_owned(), name, data, ack: None });
                }
                Err(_) => Refusal::new("bad_event", "An event is JSON with \"event\" and \"data\""),
            },
            Message::Binary(_) => binary_refused(),
        };
        if let Some(joined) = self.sockets.get("/") {
            send_refusal(&joined.socket, &refusal);
        }
        None
    }

    async fn packet(&mut self, packet: Incoming) {
        let verdict = self.bucket.as_mut().map_or(Verdict::Take, |bucket| bucket.take(Instant::now()));
        if verdict == Verdict::End {
            self.session.close(CloseReason::Slow);
            return;
        }
        match packet {
            Incoming::Connect { namespace, auth } => self.connect(&namespace, auth).await,
            Incoming::Disconnect { namespace } => {
                if let Some(joined) = self.sockets.remove(namespace.as_str()) {
                    self.end(joined, DisconnectReason::Client).await;
                }
            }
            Incoming::Event { namespace, name, data, ack } => {
                if self.is_here(&namespace) {
                    self.event(&namespace, name, data, ack, verdict).await;
                }
            }
            Incoming::Ack { namespace, id, data } => {
                if self.is_here(&namespace)
                    && let Some(joined) = self.sockets.get(namespace.as_str())
                {
                    joined.socket.acknowledged(id, data);
                }
            }
        }
    }

    /// Whether the namespace exists. A packet for a socket that has ended is allowed, because the client may not know it
    /// yet; a packet for a namespace that does not exist ends the session.
    fn is_here(&self, namespace: &str) -> bool {
        let known = self.server.namespaces.contains_key(namespace);
        if !known {
            self.session.close(CloseReason::ParseError);
        }
        known
    }

    async fn connect(&mut self, name: &str, auth: Map<String, Json>) {
        let server = Arc::clone(&self.server);
        let Some((name, namespace)) = server.namespaces.get_key_value(name) else {
            return self.refuse(name, "Invalid namespace");
        };
        if self.sockets.contains_key(name) {
            self.session.close(CloseReason::ParseError);
            return;
        }
        let socket = Socket::new(Arc::clone(name), self.session.clone(), Arc::clone(&self.ended));
        let client = Connecting { socket: socket.clone(), auth, handshake: Arc::clone(&self.handshake) };
        let accepted = match timeout(server.config.handler_deadline, namespace.connect(client)).await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(refusal)) => return self.refuse(name, &refusal.message),
            Err(_) => return self.refuse(name, "The server is busy"),
        };
        let counted = match accepted.user {
            None => None,
            Some(user) => match server.socket_counts.take(user, server.config.sockets_per_user) {
                Some(counted) => Some(counted),
                None => return self.refuse(name, "Too many connections"),
            },
        };
        let mut joined = Joined { socket, handler: accepted.handler, _counted: counted };
        if joined.socket.accept().is_ok() {
            self.in_time(&joined.socket, joined.handler.connected()).await;
        }
        self.session.identified();
        self.sockets.insert(Arc::clone(name), joined);
    }

    fn refuse(&self, namespace: &str, message: &str) {
        let _closed_already = if self.session.is_plain() {
            self.session.send([Message::Text(plain::event("connect_error", json!({ "message": message })))])
        } else {
            self.session.send(messages(socket::refused(namespace, message)))
        };
    }

    async fn event(&mut self, namespace: &str, name: String, data: Data, ack: Option<i64>, verdict: Verdict) {
        let deadline = self.server.config.handler_deadline;
        let Some(Joined { socket, handler, .. }) = self.sockets.get_mut(namespace) else { return };
        if verdict == Verdict::Refuse {
            return send_refusal(socket, &Refusal::new("rate_limited", "Too many messages, please wait a moment"));
        }
        let allowed = timeout(deadline, handler.authorize()).await;
        if let Err(refusal) = allowed.unwrap_or_else(|_| Err(Refusal::new("unavailable", "The server is busy"))) {
            send_refusal(socket, &refusal);
            socket.disconnect();
            return;
        }
        if !data.attachments.is_empty() && !handler.takes_attachments() {
            return send_refusal(socket, &binary_refused());
        }
        let ack = ack.map(|id| Ack { socket: socket.clone(), id });
        let event = Event { name, data, ack };
        match timeout(deadline, handler.event(event)).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => send_refusal(socket, &refusal),
            Err(_) => send_refusal(socket, &Refusal::new("unavailable", "The server is busy")),
        }
    }

    async fn remove_ended(&mut self) {
        let over = self.sockets.values().filter(|joined| joined.socket.is_over());
        let names: Vec<Arc<str>> = over.map(|joined| Arc::from(joined.socket.namespace())).collect();
        for name in names {
            if let Some(joined) = self.sockets.remove(&name) {
                self.end(joined, DisconnectReason::Server).await;
            }
        }
    }

    async fn end(&mut self, mut joined: Joined, reason: DisconnectReason) {
        self.idle_since = Instant::now();
        joined.socket.end();
        let socket = joined.socket.clone();
        self.in_time(&socket, joined.handler.disconnected(reason)).await;
    }

    async fn in_time(&self, socket: &Socket, call: impl Future<Output = ()>) {
        if timeout(self.server.config.handler_deadline, call).await.is_err() {
            tracing::warn!(namespace = socket.namespace(), "a socket's handler took too long");
        }
    }
}

fn binary_refused() -> Refusal {
    Refusal::new("binary_refused", "Binary data is not accepted here")
}

/// Sends a refusal; if that fails, the client has gone.
fn send_refusal(socket: &Socket, refusal: &Refusal) {
    let _gone = socket.emit_error(refusal);
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
