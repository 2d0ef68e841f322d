//! The WebSocket transport: an actor of actix-web-actors.
//!
//! Its only state are the frames of an incomplete message, so it can end at any time. While
//! its client does not read, the actor does not run and packets wait in the session's bounded
//! outbox; while the protocol is behind, the actor does not read.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{self, Poll, ready},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Handler, Message as ActixMessage, StreamHandler, WrapFuture};
use actix_http::ws::{Codec, Item};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    error::PayloadError,
    web::{Bytes, BytesMut, Payload},
};
use actix_web_actors::ws::{self, CloseCode, ProtocolError, WebsocketContext};
use futures_util::Stream;
use tokio::time::Instant;

use super::{CloseReason, Message, Session};
use crate::framing::engine::{Packet, Str, decode_text};

/// There are packets to send, or the session is closed.
#[derive(ActixMessage)]
#[rtype(result = "()")]
pub(super) struct OutboxReady;

/// The relation of a WebSocket to its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The session was opened by this WebSocket.
    Only,
    /// It is to take over from polling.
    Upgrade,
    /// Another WebSocket has already taken over.
    TooLate,
    /// It is the session's transport.
    Attached,
}

struct WebsocketTransport {
    session: Session,
    role: Role,
    probed: bool,
    /// The payload of an incomplete message, and whether it is text.
    partial: Option<(bool, BytesMut)>,
    too_large: Rc<Cell<bool>>,
}

pub(super) fn start(
    session: Session,
    role: Role,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let max = session.0.config.max_payload;
    let frames = BoundedFrames::new(payload, max);
    let too_large = Rc::clone(&frames.too_large);
    let transport = WebsocketTransport { session, role, probed: false, partial: None, too_large };
    ws::WsResponseBuilder::new(transport, request, frames).codec(Codec::new().max_size(max)).start()
}

/// The bytes of a WebSocket. They end at a frame that announces more than is accepted: the decoder would buffer all of it
/// before it refuses it.
struct BoundedFrames {
    payload: Payload,
    max: u64,
    /// The beginning of a frame's header, and how much of it has come.
    header: [u8; 10],
    received: usize,
    /// What is left of the present frame.
    left: u64,
    too_large: Rc<Cell<bool>>,
}

impl BoundedFrames {
    fn new(payload: Payload, max: usize) -> Self {
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        Self { payload, max, header: [0; 10], received: 0, left: 0, too_large: Rc::default() }
    }

    fn announce_too_much(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[skipped..];
            self.left -= u64::try_from(skipped).unwrap_or(self.left);
            let Some((next, rest)) = bytes.split_first() else { return false };
            self.header[self.received] = *next;
            self.received += 1;
            bytes = rest;
            if let Some(length) = announced(&self.header[..self.received]) {
                if length > self.max {
                    return true;
                }
                let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
                (self.left, self.received) = (length + mask, 0);
            }
        }
    }
}

/// The length of the payload, once the header has come that far (RFC 6455 §5.2).
fn announced(header: &[u8]) -> Option<u64> {
    match (header.get(1)? & 0x7f, header) {
        (126, [_, _, a, b, ..]) => Some(u16::from_be_bytes([*a, *b]).into()),
        (127, [_, _, length @ ..]) => length.try_into().ok().map(u64::from_be_bytes),
        (126, _) => None,
        (length, _) => Some(length.into()),
    }
}

impl Stream for BoundedFrames {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.payload).poll_next(cx));
        if let Some(Ok(bytes)) = &next
            && self.announce_too_much(bytes)
        {
            self.too_large.set(true);
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        Poll::Ready(next)
    }
}

type Context = WebsocketContext<WebsocketTransport>;

impl Actor for WebsocketTransport {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        match self.role {
            Role::Only => {
                if !self.session.is_plain() {
                    self.write(self.session.open_packet(false), ctx);
                }
                self.attach(ctx);
            }
            Role::Upgrade => {
                let timeout = self.session.0.config.upgrade_timeout;
                ctx.run_later(timeout, |this, ctx| {
                    if this.role == Role::Upgrade {
                        end(CloseCode::Normal, ctx);
                    }
                });
            }
            Role::TooLate | Role::Attached => {
                // Delayed, so that the client sees the WebSocket open first.
                ctx.run_later(Duration::ZERO, |_, ctx| end(CloseCode::Normal, ctx));
            }
        }
    }

    fn stopped(&mut self, _ctx: &mut Context) {
        match self.role {
            Role::Attached => self.session.close(CloseReason::TransportClosed),
            Role::Upgrade if self.probed => self.session.abandon_upgrade(),
            Role::Only | Role::Upgrade | Role::TooLate => {}
        }
    }
}

impl WebsocketTransport {
    fn attach(&mut self, ctx: &Context) {
        self.role = Role::Attached;
        self.session.attach(ctx.address().recipient());
    }

    fn packet(&mut self, packet: Packet, ctx: &mut Context) {
        match (self.role, packet) {
            (Role::Upgrade, Packet::PingUpgrade) if !self.probed && self.session.probe() => {
                self.probed = true;
                self.write(Packet::PongUpgrade, ctx);
            }
            (Role::Upgrade, Packet::Upgrade) if self.probed => self.attach(ctx),
            (Role::Attached, Packet::Message(text)) => self.message(Message::Text(text), ctx),
            (Role::Attached, Packet::Binary(bytes)) => self.message(Message::Binary(bytes), ctx),
            (Role::Attached, Packet::Pong) => self.session.pong(Instant::now()),
            (Role::Attached, Packet::Close) => self.session.close(CloseReason::Client),
            (Role::Attached, Packet::Noop | Packet::Upgrade) => {}
            _at_the_wrong_time => self.refuse(CloseCode::Normal, ctx),
        }
    }

    fn message(&self, message: Message, ctx: &mut Context) {
        if let Err(message) = self.session.try_deliver(message) {
            let session = self.session.clone();
            // Nothing is read until the message is delivered.
            ctx.wait(async move { session.deliver(message).await }.into_actor(self));
        }
    }

    /// Assembles a message of several frames, up to the maximum size.
    fn continuation(&mut self, item: Item, ctx: &mut Context) {
        let (piece, last) = match item {
            Item::FirstText(piece) => {
                self.partial = Some((true, BytesMut::new()));
                (piece, false)
            }
            Item::FirstBinary(piece) => {
                self.partial = Some((false, BytesMut::new()));
                (piece, false)
            }
            Item::Continue(piece) => (piece, false),
            Item::Last(piece) => (piece, true),
        };
        let max = self.session.0.config.max_payload;
        let Some((is_text, mut whole)) = self.partial.take() else {
            return self.refuse(CloseCode::Protocol, ctx);
        };
        if whole.len() + piece.len() > max {
            return self.refuse(CloseCode::Size, ctx);
        }
        whole.extend_from_slice(&piece);
        match (last, is_text) {
            (false, _) => self.partial = Some((is_text, whole)),
            (true, false) => self.packet(Packet::Binary(whole.freeze()), ctx),
            (true, true) => match String::from_utf8(whole.into()) {
                Ok(text) => self.text(text.into(), ctx),
                Err(_) => self.refuse(CloseCode::Invalid, ctx),
            },
        }
    }

    fn text(&mut self, text: Str, ctx: &mut Context) {
        if self.session.is_plain() {
            return self.message(Message::Text(text), ctx);
        }
        match decode_text(text) {
            Ok(packet) => self.packet(packet, ctx),
            Err(_) => self.refuse(CloseCode::Normal, ctx),
        }
    }

    fn write(&self, packet: Packet, ctx: &mut Context) {
        match packet {
            Packet::Binary(bytes) => ctx.binary(bytes),
            packet if !self.session.is_plain() => ctx.text(String::from(packet)),
            Packet::Message(text) => ctx.text(String::from(text)),
            Packet::Ping => ctx.ping(b""),
            _only_of_engine_io => {}
        }
    }

    fn refuse(&self, code: CloseCode, ctx: &mut Context) {
        if self.role == Role::Attached {
            self.session.close(CloseReason::ParseError);
        }
        end(code, ctx);
    }
}

fn end(code: CloseCode, ctx: &mut Context) {
    ctx.close(Some(code.into()));
    ctx.stop();
}

/// The code for a frame that breaks RFC 6455 (§7.4.1).
fn code_of(error: &ProtocolError) -> CloseCode {
    match error {
        ProtocolError::Overflow => CloseCode::Size,
        // Text that is not UTF-8 comes as an error of reading.
        ProtocolError::Io(error) if error.get_ref().is_some() => CloseCode::Invalid,
        _ => CloseCode::Protocol,
    }
}

/// Answers a client's close: with 1002 when it gives a code that may not be sent.
fn answer_of(reason: Option<&ws::CloseReason>) -> CloseCode {
    match reason.map(|reason| reason.code) {
        Some(CloseCode::Abnormal | CloseCode::Tls) => CloseCode::Protocol,
        Some(CloseCode::Other(code)) if !(3000..5000).contains(&code) => CloseCode::Protocol,
        _ => CloseCode::Normal,
    }
}

impl Handler<OutboxReady> for WebsocketTransport {
    type Result = ();

    fn handle(&mut self, _ready: OutboxReady, ctx: &mut Context) {
        let (packets, closed) = self.session.take_outgoing();
        for packet in packets {
            self.write(packet, ctx);
        }
        if closed.is_some() {
            end(CloseCode::Normal, ctx);
        }
    }
}

impl StreamHandler<Result<ws::Message, ProtocolError>> for WebsocketTransport {
    fn handle(&mut self, item: Result<ws::Message, ProtocolError>, ctx: &mut Context) {
        match item {
            Ok(ws::Message::Text(text)) => self.text(Str::copy_from_slice(&text), ctx),
            Ok(ws::Message::Binary(bytes)) => self.packet(Packet::Binary(Bytes::copy_from_slice(&bytes)), ctx),
            Ok(ws::Message::Continuation(item)) => self.continuation(item, ctx),
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Pong(_)) if self.session.is_plain() => self.session.pong(Instant::now()),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Close(reason)) => end(answer_of(reason.as_ref()), ctx),
            Err(_) if self.too_large.get() => self.refuse(CloseCode::Size, ctx),
            Err(error) => self.refuse(code_of(&error), ctx),
        }
    }
}
