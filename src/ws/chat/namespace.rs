//! The namespace that the chat lives in: who comes in, and what she says.

use super::calls::ChatRefusal;
use std::sync::Arc;

use async_trait::async_trait;
use metrics::{counter, gauge};
use serde_json::{Map, Value as Json, json};

use super::{
    Chats, Gate, Key, Wish,
    gate::Caller,
    session::{NotTaken, Say},
};
use crate::{
    domain::text::trim_invisible,
    runtime::AskError,
    runtime::calls::CallError,
    ws::{
        live::{Live, Seat},
        socket::{Accepted, Connecting, DisconnectReason, Event, Namespace, Refusal, Room, Socket, SocketHandler},
    },
};

/// The most characters of one message.
const MESSAGE_MAX: usize = 4_000;

/// Lets users into their conversations.
pub struct ChatNamespace {
    chats: Chats,
    gate: Arc<Gate>,
    live: Arc<Live>,
}

impl ChatNamespace {
    /// Over these conversations.
    #[must_use]
    pub const fn new(chats: Chats, gate: Arc<Gate>, live: Arc<Live>) -> Self {
        Self { chats, gate, live }
    }
}

/// Which conversation is wished for: `conversationId` of what the client shows.
fn wish(auth: &Map<String, Json>) -> Result<Wish, Refusal> {
    match auth.get("conversationId") {
        None | Some(Json::Null) => Ok(Wish::Newest),
        Some(Json::String(text)) if text.is_empty() => Ok(Wish::Newest),
        Some(Json::String(text)) if text == "new" => Ok(Wish::New),
        Some(Json::String(text)) if text.len() == 24 => {
            text.parse().map(Wish::This).map_err(|_| Refusal::new("bad_conversation", "Invalid conversation"))
        }
        Some(_) => Err(Refusal::new("bad_conversation", "Invalid conversation")),
    }
}

fn wants_live(auth: &Map<String, Json>) -> bool {
    match auth.get("live") {
        Some(Json::Bool(wanted)) => *wanted,
        // The query of a plain WebSocket has texts alone.
        Some(Json::String(text)) => text == "1" || text == "true",
        _ => false,
    }
}

#[async_trait]
impl Namespace for ChatNamespace {
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal> {
        let Connecting { socket, auth, handshake } = client;
        let caller = self.gate.admit(&auth, &handshake).await.inspect_err(refused)?;
        let user = caller.shopper.id;
        let conversation = self.chats.choose(user, wish(&auth).inspect_err(refused)?).await.map_err(|failure| {
            let refusal = match failure {
                CallError::Refused(ChatRefusal::NotYours) => {
                    Refusal::new("not_yours", "This conversation is not yours")
                }
                CallError::Refused(ChatRefusal::NotFound) => Refusal::new("bad_conversation", "Invalid conversation"),
                error => {
                    tracing::warn!(%error, "a user's conversation was not found out");
                    busy()
                }
            };
            refused(&refusal);
            refusal
        })?;
        let key = (user, conversation);
        gauge!("chat_sockets").increment(1.0);
        let talker = Talker {
            room: self.chats.room(key),
            pages: self.chats.pages(key),
            chats: self.chats.clone(),
            gate: Arc::clone(&self.gate),
            caller,
            key,
            socket,
            live: wants_live(&auth).then(|| Arc::clone(&self.live)),
            seat: None,
        };
        Ok(Accepted { user: Some(user.to_hex()), handler: Box::new(talker) })
    }
}

/// One socket in its conversation.
struct Talker {
    chats: Chats,
    gate: Arc<Gate>,
    caller: Caller,
    key: Key,
    room: Arc<Room>,
    pages: Arc<Room>,
    socket: Socket,
    /// Where it is to listen, if it wishes to.
    live: Option<Arc<Live>>,
    seat: Option<Seat>,
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.room.leave(self.socket.id());
        self.pages.leave(self.socket.id());
        self.gate.leave(&self.caller, &self.socket);
        gauge!("chat_sockets").decrement(1.0);
    }
}

#[async_trait]
impl SocketHandler for Talker {
    async fn connected(&mut self) {
        let _gone = self.socket.emit("conversation", json!({ "id": self.key.1 }));
        self.room.join(self.socket.clone());
        if self.live.is_some() {
            self.pages.join(self.socket.clone());
        }
        let seat = |live: Arc<Live>| live.seat(self.caller.shopper.id, self.socket.clone());
        self.seat = self.live.take().map(seat);
        self.gate.enter(&self.caller, self.socket.clone());
    }

    async fn authorize(&mut self) -> Result<(), Refusal> {
        self.gate.check(&self.caller).await.inspect_err(refused)
    }

    async fn event(&mut self, event: Event) -> Result<(), Refusal> {
        let Event { name, data, ack } = event;
        let text = said(&name, data.args).inspect_err(refused)?;
        let (room, pages) = (Arc::clone(&self.room), Arc::clone(&self.pages));
        let say = Say { shopper: self.caller.shopper, text, room, pages, from: self.socket.id().to_owned(), ack };
        self.chats.say(self.key, say).await.map_err(not_taken).inspect_err(refused)
    }

    async fn disconnected(&mut self, _: DisconnectReason) {
        self.room.leave(self.socket.id());
        self.pages.leave(self.socket.id());
        self.gate.leave(&self.caller, &self.socket);
    }
}

/// What an event says.
fn said(name: &str, arguments: Vec<Json>) -> Result<String, Refusal> {
    if name != "message" {
        return Err(Refusal::new("unknown_event", "There is only the event \"message\""));
    }
    let shapeless = || Refusal::new("bad_message", "A message is a text, or an object with a text");
    let text = match arguments.into_iter().next() {
        Some(Json::String(text)) => text,
        Some(Json::Object(mut fields)) => match fields.remove("text") {
            Some(Json::String(text)) => text,
            _ => return Err(shapeless()),
        },
        _ => return Err(shapeless()),
    };
    let readable = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let text: String = trim_invisible(&text).chars().filter(readable).collect();
    if text.is_empty() {
        return Err(Refusal::new("empty_message", "The message is empty"));
    }
    if text.chars().nth(MESSAGE_MAX).is_some() {
        return Err(Refusal::new("message_too_long", format!("A message has at most {MESSAGE_MAX} characters")));
    }
    Ok(text)
}

fn not_taken(error: AskError<NotTaken>) -> Refusal {
    match error {
        AskError::Busy | AskError::Refused(NotTaken::TooMany) => {
            Refusal::new("busy", "Please wait until your earlier messages are answered")
        }
        AskError::Refused(NotTaken::NotYours) => Refusal::new("not_yours", "This conversation is not yours"),
        AskError::Refused(NotTaken::Store(error)) => {
            tracing::warn!(%error, "a message could not be kept");
            busy()
        }
        AskError::Restarting | AskError::Died | AskError::Deadline => busy(),
    }
}

fn busy() -> Refusal {
    Refusal::new("unavailable", "The chat is not available now; please try again in a moment")
}

/// Counts by the code alone: the codes are few.
fn refused(refusal: &Refusal) {
    counter!("chat_refusals_total", "code" => refusal.code.clone()).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_text_or_an_object_with_one() {
        let taken = |argument| said("message", vec![argument]);
        assert_eq!(taken(json!("  a lamp\u{0}\n")), Ok("a lamp".to_owned()));
        assert_eq!(taken(json!({"text": "a lamp", "more": 1})), Ok("a lamp".to_owned()));
        for (argument, code) in [
            (json!(null), "bad_message"),
            (json!(1), "bad_message"),
            (json!(["a"]), "bad_message"),
            (json!({"words": "a"}), "bad_message"),
            (json!({"text": {"$gt": ""}}), "bad_message"),
            (json!(" \n"), "empty_message"),
            (json!({"text": ""}), "empty_message"),
            (json!("é".repeat(MESSAGE_MAX + 1)), "message_too_long"),
        ] {
            assert_eq!(taken(argument.clone()).unwrap_err().code, code, "{argument}");
        }
        assert_eq!(said("message", vec![]).unwrap_err().code, "bad_message");
        assert_eq!(said("other", vec![json!("a")]).unwrap_err().code, "unknown_event");
    }

    #[test]
    fn a_conversation_is_wished_for_by_its_id() {
        let of = |auth: Json| wish(auth.as_object().unwrap());
        assert_eq!(of(json!({})), Ok(Wish::Newest));
        assert_eq!(of(json!({"conversationId": "new"})), Ok(Wish::New));
        assert!(matches!(of(json!({"conversationId": "665f1f77bcf86cd799439011"})), Ok(Wish::This(_))));
        for bad in [json!(1), json!("x"), json!({"$ne": null}), json!("zz5f1f77bcf86cd799439011")] {
            assert!(of(json!({ "conversationId": bad })).is_err());
        }
        assert!(wants_live(json!({"live": true}).as_object().unwrap()));
        assert!(wants_live(json!({"live": "1"}).as_object().unwrap()));
        assert!(!wants_live(json!({"live": "no"}).as_object().unwrap()));
    }
}
