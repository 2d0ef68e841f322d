//! The state of a session, which is independent of its transports.
//!
//! **Invariant:** every change is made completely under the session's lock, so that concurrent requests see
//! consistent states in one order.

mod heartbeat;
mod upgrade;

use std::sync::Arc;

use actix::Recipient;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use super::{EngineConfig, Message, anonymous::Place, outbox::Outbox, websocket::OutboxReady};
use crate::framing::engine::{OpenPacket, Packet, Sid, TransportType};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed it.
    Client,
    /// Its WebSocket was closed.
    TransportClosed,
    /// The client did not answer a ping.
    PingTimeout,
    /// The client sent an invalid packet, or a packet at the wrong time.
    ParseError,
    /// The client was too slow: for its bounded queues, or to join a namespace.
    Slow,
    /// The protocol ended it.
    Server,
    /// The server is shutting down.
    Shutdown,
}

impl CloseReason {
    /// Whether the last packets are kept for one more poll.
    const fn lingers(self) -> bool {
        matches!(self, Self::Client | Self::Server | Self::Shutdown)
    }
}

/// Why a message was not accepted for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// Too many packets wait to be sent; the session was closed for it.
    #[error("the client is too slow")]
    Slow,
}

/// The result of a GET or POST on a session.
pub(super) enum Poll {
    /// Packets are available at once.
    Ready(Vec<Packet>),
    /// Packets will arrive over this channel.
    Wait(oneshot::Receiver<Vec<Packet>>),
    /// The session does not exist any more.
    Unknown,
    /// The session cannot be polled now.
    Refused,
}

enum Transport {
    Polling { waiter: Option<oneshot::Sender<Vec<Packet>>>, posting: bool },
    Websocket { address: Recipient<OutboxReady>, notified: bool },
}

struct State {
    transport: Transport,
    upgrading: bool,
    outbox: Outbox,
    inbox: Option<mpsc::Sender<Message>>,
    next_ping: Instant,
    pong_by: Option<Instant>,
    closed: Option<CloseReason>,
}

pub(super) struct Inner {
    pub(super) sid: Sid,
    plain: bool,
    pub(super) config: Arc<EngineConfig>,
    state: Mutex<State>,
    changed: Notify,
    /// Until its client has said who it is.
    place: Mutex<Option<Place>>,
}

/// A client's session. Clones refer to the same session.
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner>);

/// The messages that the client of a session sends, in order.
pub struct Inbox(mpsc::Receiver<Message>);

impl Inbox {
    /// The next message; `None` once the session is closed and all earlier messages were read.
    pub async fn next(&mut self) -> Option<Message> {
        self.0.recv().await
    }
}

impl Session {
    pub(super) fn new(config: Arc<EngineConfig>, plain: bool, now: Instant) -> (Self, Inbox) {
        let (inbox, receiver) = mpsc::channel(config.inbox.max(1));
        let state = State {
            transport: Transport::Polling { waiter: None, posting: false },
            upgrading: false,
            outbox: Outbox::default(),
            inbox: Some(inbox),
            next_ping: now + config.ping_interval,
            pong_by: None,
            closed: None,
        };
        let inner = Inner {
            sid: Sid::new(),
            plain,
            config,
            state: Mutex::new(state),
            changed: Notify::new(),
            place: Mutex::new(None),
        };
        (Self(Arc::new(inner)), Inbox(receiver))
    }

    /// The session id. It is a secret: anyone who knows it can act as this client.
    #[must_use]
    pub fn id(&self) -> Sid {
        self.0.sid
    }

    /// Whether it is a WebSocket without Engine.IO: messages are its frames.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.plain
    }

    /// Its client has said who it is: the session no longer counts for its address.
    pub fn identified(&self) {
        drop(self.0.place.lock().take());
    }

    /// Why it is closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.0.state.lock().closed
    }

    /// Queues all messages for the client, or none. If the client is too slow, its session is closed.
    ///
    /// # Errors
    /// [`SendError`]. Success does not mean that the messages arrive.
    pub fn send(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), SendError> {
        let packets = messages.into_iter().map(|message| match message {
            Message::Text(text) => Packet::Message(text),
            Message::Binary(bytes) => Packet::Binary(bytes),
        });
        let config = &self.0.config;
        let mut state = self.0.state.lock();
        if state.closed.is_some() {
            return Err(SendError::Closed);
        }
        if state.outbox.push(packets.collect(), config.outbox, config.outbox_bytes) {
            state.flush();
            return Ok(());
        }
        drop(state);
        self.close(CloseReason::Slow);
        Err(SendError::Slow)
    }

    /// Closes the session; further calls have no effect.
    pub fn close(&self, reason: CloseReason) {
        let mut state = self.0.state.lock();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(reason);
        state.inbox = None;
        if !reason.lingers() {
            drop(state.outbox.take());
        }
        if let Transport::Polling { .. } = &state.transport {
            // The answer to a waiting poll. A client that closed the session does not need a close packet.
            let last = if reason == CloseReason::Client { Packet::Noop } else { Packet::Close };
            state.outbox.push_control(last);
        }
        state.flush();
        drop(state);
        self.0.changed.notify_one();
    }

    /// Has it count as a session of somebody who has not said who it is.
    pub(super) fn take_place(&self, place: Place) {
        *self.0.place.lock() = Some(place);
    }

    /// The first packet, with the parameters of the session.
    pub(super) fn open_packet(&self, upgrades: bool) -> Packet {
        let config = &self.0.config;
        Packet::Open(OpenPacket {
            sid: self.0.sid,
            upgrades: upgrades.then_some(TransportType::Websocket).into_iter().collect(),
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_payload: u64::try_from(config.max_payload).unwrap_or(u64::MAX),
        })
    }

    pub(super) fn poll(&self, now: Instant) -> Poll {
        self.expire(now);
        let mut state = self.0.state.lock();
        let Transport::Polling { waiter, .. } = &mut state.transport else { return Poll::Refused };
        if waiter.as_ref().is_some_and(|waiter| !waiter.is_closed()) {
            drop(state);
            self.close(CloseReason::ParseError);
            return Poll::Refused;
        }
        if let Some(reason) = state.closed {
            let last = state.outbox.take();
            drop(state);
            self.0.changed.notify_one();
            return if reason.lingers() && !last.is_empty() { Poll::Ready(last) } else { Poll::Unknown };
        }
        if !state.outbox.is_empty() {
            return Poll::Ready(state.outbox.take());
        }
        if state.upgrading {
            return Poll::Ready(vec![Packet::Noop]);
        }
        let (sender, receiver) = oneshot::channel();
        state.transport = match state.transport {
            Transport::Polling { posting, .. } => Transport::Polling { waiter: Some(sender), posting },
            Transport::Websocket { .. } => return Poll::Refused,
        };
        Poll::Wait(receiver)
    }

    /// Puts back the packets of a poll whose client disconnected before it received them.
    pub(super) fn put_back(&self, packets: Vec<Packet>) {
        let mut state = self.0.state.lock();
        state.outbox.put_back(packets);
        state.flush();
    }

    /// Begins a POST; only one is allowed at a time.
    pub(super) fn begin_post(&self, now: Instant) -> Poll {
        self.expire(now);
        let mut state = self.0.state.lock();
        if state.closed.is_some() {
            return Poll::Unknown;
        }
        match &mut state.transport {
            Transport::Polling { posting, .. } if !*posting => {
                *posting = true;
                Poll::Ready(vec![])
            }
            Transport::Polling { .. } => {
                drop(state);
                self.close(CloseReason::ParseError);
                Poll::Refused
            }
            Transport::Websocket { .. } => Poll::Refused,
        }
    }

    pub(super) fn end_post(&self) {
        if let Transport::Polling { posting, .. } = &mut self.0.state.lock().transport {
            *posting = false;
        }
    }

    /// Passes a message to the protocol without waiting.
    ///
    /// # Errors
    /// The message, if the inbox is full or closed.
    pub(super) fn try_deliver(&self, message: Message) -> Result<(), Message> {
        let inbox = self.0.state.lock().inbox.clone();
        let Some(inbox) = inbox else { return Err(message) };
        inbox.try_send(message).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Passes a message to the protocol and waits for room in the inbox. If that takes too long, the session ends.
    pub(super) async fn deliver(&self, message: Message) {
        let inbox = self.0.state.lock().inbox.clone();
        let Some(inbox) = inbox else { return };
        if let Err(mpsc::error::SendTimeoutError::Timeout(_)) =
            inbox.send_timeout(message, self.0.config.receive_deadline).await
        {
            self.close(CloseReason::Slow);
        }
    }

    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Whether the last packets still wait for a poll.
    pub(super) fn lingers(&self) -> bool {
        let state = self.0.state.lock();
        matches!(state.transport, Transport::Polling { .. })
            && state.closed.is_some_and(CloseReason::lingers)
            && !state.outbox.is_empty()
    }
}

impl State {
    /// Passes the queued packets to the transport, if it is ready.
    fn flush(&mut self) {
        match &mut self.transport {
            Transport::Polling { waiter, .. } => {
                if self.outbox.is_empty() {
                    return;
                }
                let Some(waiter) = waiter.take() else { return };
                if let Err(packets) = waiter.send(self.outbox.take()) {
                    self.outbox.put_back(packets);
                }
            }
            Transport::Websocket { address, notified } => {
                if !*notified && (self.closed.is_some() || !self.outbox.is_empty()) {
                    *notified = true;
                    // Only one notification at a time, so that the mailbox holds at most one.
                    address.do_send(OutboxReady);
                }
            }
        }
    }
}
