//! The HTTP requests: handshake, polls, posts and WebSockets.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    },
    web::{Bytes, BytesMut, Payload, Query},
};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    CloseReason, Engine, Message, Refusal, Session,
    session::Poll,
    websocket::{self, Role},
};
use crate::framing::engine::{Packet, TransportType, decode_payload, encode_payload};

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "EIO")]
    version: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
}

pub(super) async fn handle(engine: Engine, request: HttpRequest, payload: Payload) -> HttpResponse {
    match answer(&engine, &request, payload).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    }
}

/// Handles a request for a WebSocket without Engine.IO.
pub(super) fn handle_plain(engine: &Engine, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let answer = || {
        engine.0.protocol.allow(request)?;
        actix_web_actors::ws::handshake(request).map_err(|_error| Refusal::BadRequest)?;
        let session = engine.open(request, true)?;
        websocket::start(session, Role::Only, request, payload).map_err(|_error| Refusal::BadRequest)
    };
    answer().unwrap_or_else(|refusal: Refusal| refusal.response())
}

async fn answer(engine: &Engine, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    engine.0.protocol.allow(request)?;
    if request.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent().finish());
    }
    let parameters: Query<Parameters> =
        Query::from_query(request.query_string()).map_err(|_malformed| Refusal::BadRequest)?;
    let Parameters { version, transport, sid } = parameters.into_inner();
    if version.as_deref() != Some("4") {
        return Err(Refusal::UnsupportedVersion);
    }
    let transport: TransportType =
        transport.unwrap_or_default().parse().map_err(|_unknown| Refusal::UnknownTransport)?;
    let session = sid.map(|sid| engine.session(&sid)).transpose()?;
    match (transport, request.method(), session) {
        (TransportType::Websocket, &Method::GET, session) => upgrade(engine, session, request, payload),
        (TransportType::Websocket, ..) => Err(Refusal::BadRequest),
        (TransportType::Polling, &Method::GET, None) => {
            let session = engine.open(request, false)?;
            Ok(packets(vec![session.open_packet(true)]))
        }
        (TransportType::Polling, &Method::GET, Some(session)) => poll(session).await,
        (TransportType::Polling, &Method::POST, Some(session)) => post(&session, payload).await,
        (TransportType::Polling, ..) => Err(Refusal::BadMethod),
    }
}

fn upgrade(
    engine: &Engine,
    session: Option<Session>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    // Checked before a session is opened, because the request may not be a WebSocket request.
    actix_web_actors::ws::handshake(request).map_err(|_error| Refusal::BadRequest)?;
    let (session, role) = match session {
        None => (engine.open(request, false)?, Role::Only),
        Some(session) if session.may_upgrade(Instant::now()) => (session, Role::Upgrade),
        Some(session) => (session, Role::TooLate),
    };
    websocket::start(session, role, request, payload).map_err(|_error| Refusal::BadRequest)
}

async fn poll(session: Session) -> Result<HttpResponse, Refusal> {
    match session.poll(Instant::now()) {
        Poll::Ready(ready) => Ok(packets(ready)),
        Poll::Wait(receiver) => {
            // Longer than a session can live without a ping.
            let config = &session.0.config;
            let deadline = config.ping_interval + config.ping_timeout * 2;
            let mut waiting = Waiting { session: &session, receiver };
            match timeout(deadline, &mut waiting.receiver).await {
                Ok(Ok(ready)) => Ok(packets(ready)),
                _ => Err(Refusal::UnknownSession),
            }
        }
        Poll::Unknown => Err(Refusal::UnknownSession),
        Poll::Refused => Err(Refusal::BadRequest),
    }
}

/// A waiting poll. Packets that arrive after its client has gone are put back.
struct Waiting<'a> {
    session: &'a Session,
    receiver: oneshot::Receiver<Vec<Packet>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(packets) = self.receiver.try_recv() {
            self.session.put_back(packets);
        }
    }
}

fn packets(packets: Vec<Packet>) -> HttpResponse {
    text(encode_payload(packets))
}

fn text(body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::build(StatusCode::OK)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(body.into())
}

async fn post(session: &Session, payload: Payload) -> Result<HttpResponse, Refusal> {
    match session.begin_post(Instant::now()) {
        Poll::Ready(_) => {}
        Poll::Unknown => return Err(Refusal::UnknownSession),
        Poll::Refused | Poll::Wait(_) => return Err(Refusal::BadRequest),
    }
    let _posting = Posting(session);
    let refused = |refusal| {
        session.close(CloseReason::ParseError);
        refusal
    };
    let config = &session.0.config;
    let body = timeout(config.receive_deadline, read(payload, config.max_payload)).await;
    let body = body.unwrap_or(Err(Refusal::BadRequest)).map_err(refused)?;
    let body = std::str::from_utf8(&body).map_err(|_error| refused(Refusal::BadRequest))?;
    let packets = decode_payload(body, config.max_packets).map_err(|_error| refused(Refusal::BadRequest))?;
    for packet in packets {
        match packet {
            Packet::Message(text) => session.deliver(Message::Text(text)).await,
            Packet::Binary(bytes) => session.deliver(Message::Binary(bytes)).await,
            Packet::Pong => session.pong(Instant::now()),
            Packet::Close => session.close(CloseReason::Client),
            Packet::Noop | Packet::Upgrade => {}
            _not_of_a_client => return Err(refused(Refusal::BadRequest)),
        }
    }
    Ok(text("ok"))
}

struct Posting<'a>(&'a Session);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.end_post();
    }
}

async fn read(mut payload: Payload, max: usize) -> Result<BytesMut, Refusal> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_error| Refusal::BadRequest)?;
        if body.len() + chunk.len() > max {
            return Err(Refusal::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
