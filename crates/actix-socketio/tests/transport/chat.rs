//! The namespace of the tests: an actor per user, which outlives the user's sockets.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message};
use actix_guardian::Keyed;
use actix_socketio::socket::{
    Accepted, Connecting, Data, DisconnectReason, Event, Namespace, Refusal, Room, Socket, SocketHandler,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Counts the messages of its user and sends each to all of the user's sockets.
#[derive(Default)]
pub struct ChatActor {
    room: Room,
    count: u32,
}

impl Actor for ChatActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct Join(Socket);

#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct Say(String);

impl Handler<Join> for ChatActor {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Join(socket): Join, _ctx: &mut Context<Self>) -> Self::Result {
        self.room.join(socket);
        Ok(())
    }
}

impl Handler<Say> for ChatActor {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Say(text): Say, _ctx: &mut Context<Self>) -> Self::Result {
        self.count += 1;
        self.room.emit("message", &json!(format!("{}: {text}", self.count)));
        Ok(())
    }
}

/// Accepts the token `token-of-USER` until it is revoked.
#[derive(Clone)]
pub struct ChatNamespace {
    pub actors: Keyed<String, ChatActor>,
    pub revoked: Arc<Mutex<HashSet<String>>>,
    pub ended: Arc<Mutex<Vec<DisconnectReason>>>,
}

struct ChatSocket {
    chats: ChatNamespace,
    socket: Socket,
    token: String,
    user: String,
}

#[async_trait]
impl Namespace for ChatNamespace {
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal> {
        let shown = client.auth.get("token").and_then(Value::as_str);
        let token = shown.or_else(|| client.handshake.bearer()).or_else(|| client.handshake.cookie("token"));
        let token = token.ok_or_else(|| Refusal::new("unauthenticated", "Token not provided"))?.to_owned();
        let user = token.strip_prefix("token-of-").ok_or_else(|| Refusal::new("unauthenticated", "Invalid token"))?;
        let chat_socket = ChatSocket { chats: self.clone(), socket: client.socket, user: user.to_owned(), token };
        chat_socket.check()?;
        Ok(Accepted { user: Some(chat_socket.user.clone()), handler: Box::new(chat_socket) })
    }
}

impl ChatSocket {
    fn check(&self) -> Result<(), Refusal> {
        let revoked = self.chats.revoked.lock().contains(&self.token);
        if revoked { Err(Refusal::new("unauthenticated", "Invalid token")) } else { Ok(()) }
    }
}

#[async_trait]
impl SocketHandler for ChatSocket {
    async fn connected(&mut self) {
        self.chats.actors.ask(&self.user, Join(self.socket.clone())).await.unwrap();
    }

    async fn authorize(&mut self) -> Result<(), Refusal> {
        self.check()
    }

    async fn event(&mut self, event: Event) -> Result<(), Refusal> {
        match (event.name.as_str(), event.data.args.as_slice()) {
            ("message", [Value::String(text)]) => {
                self.chats.actors.ask(&self.user, Say(text.clone())).await.map_err(|_| Refusal::new("busy", "Busy"))?;
                if let Some(ack) = event.ack {
                    ack.send(json!({"ok": true})).ok();
                }
                Ok(())
            }
            ("ask me", []) => {
                // Not in the handler, because the acknowledgement is processed only after the handler returned.
                let socket = self.socket.clone();
                actix_rt::spawn(async move {
                    let asked = socket.emit_with_ack("question", Data::new(vec![json!(6)]), Duration::from_secs(30));
                    let answer = asked.await.unwrap();
                    socket.emit("answered", answer.args[0].clone()).unwrap();
                });
                Ok(())
            }
            ("panic", []) => panic!("a handler's bug, on purpose"),
            _ => Err(Refusal::new("bad_message", "A message is a string")),
        }
    }

    async fn disconnected(&mut self, reason: DisconnectReason) {
        self.chats.ended.lock().push(reason);
    }
}
