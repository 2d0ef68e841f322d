//! The WebSocket transport: an actor of actix-web-actors.
//!
//! Its only state are the frames of an incomplete message, so it can end at any time. While
//! its client does not read, the actor does not run and packets wait in the session's bounded
//! outbox; while the protocol is behind, the actor does not read.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Handler, Message as ActixMessage, StreamHandler, WrapFuture};
use actix_http::ws::{Codec, Item};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{Bytes, BytesMut, Payload},
};
use actix_web_actors::ws::{self, CloseCode, ProtocolError, WebsocketContext};
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
}

pub(super) fn start(
    session: Session,
    role: Role,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let max = session.0.config.max_payload;
    let transport = WebsocketTransport { session, role, probed: false, partial: None };
    ws::WsResponseBuilder::new(transport, request, payload).codec(Codec::new().max_size(max)).start()
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
                        end(ctx);
                    }
                });
            }
            Role::TooLate | Role::Attached => {
                // Delayed, so that the client sees the WebSocket open first.
                ctx.run_later(Duration::ZERO, |_, ctx| end(ctx));
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
            _at_the_wrong_time => self.refuse(ctx),
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
        let Some((is_text, mut whole)) = self.partial.take().filter(|(_, whole)| whole.len() + piece.len() <= max)
        else {
            return self.refuse(ctx);
        };
        whole.extend_from_slice(&piece);
        match (last, is_text) {
            (false, _) => self.partial = Some((is_text, whole)),
            (true, false) => self.packet(Packet::Binary(whole.freeze()), ctx),
            (true, true) => match String::from_utf8(whole.into()) {
                Ok(text) => self.text(text.into(), ctx),
                Err(_) => self.refuse(ctx),
            },
        }
    }

    fn text(&mut self, text: Str, ctx: &mut Context) {
        if self.session.is_plain() {
            return self.message(Message::Text(text), ctx);
        }
        match decode_text(text) {
            Ok(packet) => self.packet(packet, ctx),
            Err(_) => self.refuse(ctx),
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

    fn refuse(&self, ctx: &mut Context) {
        if self.role == Role::Attached {
            self.session.close(CloseReason::ParseError);
        }
        end(ctx);
    }
}

fn end(ctx: &mut Context) {
    ctx.close(Some(CloseCode::Normal.into()));
    ctx.stop();
}

impl Handler<OutboxReady> for WebsocketTransport {
    type Result = ();

    fn handle(&mut self, _ready: OutboxReady, ctx: &mut Context) {
        let (packets, closed) = self.session.take_outgoing();
        for packet in packets {
            self.write(packet, ctx);
        }
        if closed.is_some() {
            end(ctx);
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
            Ok(ws::Message::Close(_)) => end(ctx),
            Err(_) => self.refuse(ctx),
        }
    }
}
