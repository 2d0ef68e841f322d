//! The Socket.IO namespace of the chat: connects users and accepts their messages.

use super::calls::ChatRefusal;
use std::sync::Arc;

use async_trait::async_trait;
use metrics::{counter, gauge};
use serde_json::{Map, Value as Json, json};

use super::{
    Chats, ConversationChoice, Key, SocketAuth,
    session::{NotAccepted, Say},
    socket_auth::Caller,
};
use crate::{
    domain::text::trim_invisible,
    runtime::AskError,
    runtime::calls::CallError,
    ws::{
        live::{Live, Subscription},
        socket::{Accepted, Connecting, DisconnectReason, Event, Namespace, Refusal, Room, Socket, SocketHandler},
    },
};

/// The maximum length of a message in characters.
const MESSAGE_MAX: usize = 4_000;

/// Connects users to their conversations.
pub struct ChatNamespace {
    chats: Chats,
    socket_auth: Arc<SocketAuth>,
    live: Arc<Live>,
}

impl ChatNamespace {
    #[must_use]
    pub const fn new(chats: Chats, socket_auth: Arc<SocketAuth>, live: Arc<Live>) -> Self {
        Self { chats, socket_auth, live }
    }
}

/// Reads the requested conversation from `conversationId` of the client's `auth`.
fn conversation_choice(auth: &Map<String, Json>) -> Result<ConversationChoice, Refusal> {
    match auth.get("conversationId") {
        None | Some(Json::Null) => Ok(ConversationChoice::Newest),
        Some(Json::String(text)) if text.is_empty() => Ok(ConversationChoice::Newest),
        Some(Json::String(text)) if text == "new" => Ok(ConversationChoice::New),
        Some(Json::String(text)) if text.len() == 24 => text
            .parse()
            .map(ConversationChoice::This)
            .map_err(|_| Refusal::new("bad_conversation", "Invalid conversation")),
        Some(_) => Err(Refusal::new("bad_conversation", "Invalid conversation")),
    }
}

fn wants_live(auth: &Map<String, Json>) -> bool {
    match auth.get("live") {
        Some(Json::Bool(wanted)) => *wanted,
        // The query of a plain WebSocket has only strings.
        Some(Json::String(text)) => text == "1" || text == "true",
        _ => false,
    }
}

#[async_trait]
impl Namespace for ChatNamespace {
    async fn connect(&self, client: Connecting) -> Result<Accepted, Refusal> {
        let Connecting { socket, auth, handshake } = client;
        let caller = self.socket_auth.admit(&auth, &handshake).await.inspect_err(refused)?;
        let user = caller.shopper.id;
        let conversation =
            self.chats.choose(user, conversation_choice(&auth).inspect_err(refused)?).await.map_err(|failure| {
                let refusal = match failure {
                    CallError::Refused(ChatRefusal::NotYours) => {
                        Refusal::new("not_yours", "This conversation is not yours")
                    }
                    CallError::Refused(ChatRefusal::NotFound) => {
                        Refusal::new("bad_conversation", "Invalid conversation")
                    }
                    error => {
                        tracing::warn!(%error, "the conversation of a user could not be determined");
                        busy()
                    }
                };
                refused(&refusal);
                refusal
            })?;
        let key = (user, conversation);
        gauge!("chat_sockets").increment(1.0);
        let chat_socket = ChatSocket {
            room: self.chats.room(key),
            pages: self.chats.pages(key),
            chats: self.chats.clone(),
            socket_auth: Arc::clone(&self.socket_auth),
            caller,
            key,
            socket,
            live: wants_live(&auth).then(|| Arc::clone(&self.live)),
            subscription: None,
        };
        Ok(Accepted { user: Some(user.to_hex()), handler: Box::new(chat_socket) })
    }
}

/// One socket of a conversation.
struct ChatSocket {
    chats: Chats,
    socket_auth: Arc<SocketAuth>,
    caller: Caller,
    key: Key,
    room: Arc<Room>,
    pages: Arc<Room>,
    socket: Socket,
    /// Set until the socket subscribes, if the client asked for live events.
    live: Option<Arc<Live>>,
    subscription: Option<Subscription>,
}

impl Drop for ChatSocket {
    fn drop(&mut self) {
        self.room.leave(self.socket.id());
        self.pages.leave(self.socket.id());
        self.socket_auth.leave(&self.caller, &self.socket);
        gauge!("chat_sockets").decrement(1.0);
    }
}

#[async_trait]
impl SocketHandler for ChatSocket {
    async fn connected(&mut self) {
        let _gone = self.socket.emit("conversation", json!({ "id": self.key.1 }));
        self.room.join(self.socket.clone());
        if self.live.is_some() {
            self.pages.join(self.socket.clone());
        }
        let subscribe = |live: Arc<Live>| live.subscribe(self.caller.shopper.id, self.socket.clone());
        self.subscription = self.live.take().map(subscribe);
        self.socket_auth.enter(&self.caller, self.socket.clone());
    }

    async fn authorize(&mut self) -> Result<(), Refusal> {
        self.socket_auth.check(&self.caller).await.inspect_err(refused)
    }

    async fn event(&mut self, event: Event) -> Result<(), Refusal> {
        let Event { name, data, ack } = event;
        let text = message_text(&name, data.args).inspect_err(refused)?;
        let (room, pages) = (Arc::clone(&self.room), Arc::clone(&self.pages));
        let say = Say { shopper: self.caller.shopper, text, room, pages, from: self.socket.id().to_owned(), ack };
        self.chats.say(self.key, say).await.map_err(not_accepted).inspect_err(refused)
    }

    async fn disconnected(&mut self, _: DisconnectReason) {
        self.room.leave(self.socket.id());
        self.pages.leave(self.socket.id());
        self.socket_auth.leave(&self.caller, &self.socket);
    }
}

/// Reads the text of a `message` event.
fn message_text(name: &str, arguments: Vec<Json>) -> Result<String, Refusal> {
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

fn not_accepted(error: AskError<NotAccepted>) -> Refusal {
    match error {
        AskError::Busy | AskError::Refused(NotAccepted::TooMany) => {
            Refusal::new("busy", "Please wait until your earlier messages are answered")
        }
        AskError::Refused(NotAccepted::NotYours) => Refusal::new("not_yours", "This conversation is not yours"),
        AskError::Refused(NotAccepted::Store(error)) => {
            tracing::warn!(%error, "a message could not be stored");
            busy()
        }
        AskError::Restarting | AskError::Died | AskError::Deadline => busy(),
    }
}

fn busy() -> Refusal {
    Refusal::new("unavailable", "The chat is not available now; please try again in a moment")
}

/// Counts refusals by code; the number of codes is small.
fn refused(refusal: &Refusal) {
    counter!("chat_refusals_total", "code" => refusal.code.clone()).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_text_or_an_object_with_one() {
        let accepted = |argument| message_text("message", vec![argument]);
        assert_eq!(accepted(json!("  a lamp\u{0}\n")), Ok("a lamp".to_owned()));
        assert_eq!(accepted(json!({"text": "a lamp", "more": 1})), Ok("a lamp".to_owned()));
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
            assert_eq!(accepted(argument.clone()).unwrap_err().code, code, "{argument}");
        }
        assert_eq!(message_text("message", vec![]).unwrap_err().code, "bad_message");
        assert_eq!(message_text("other", vec![json!("a")]).unwrap_err().code, "unknown_event");
    }

    #[test]
    fn a_conversation_is_requested_by_its_id() {
        let of = |auth: Json| conversation_choice(auth.as_object().unwrap());
        assert_eq!(of(json!({})), Ok(ConversationChoice::Newest));
        assert_eq!(of(json!({"conversationId": "new"})), Ok(ConversationChoice::New));
        assert!(matches!(of(json!({"conversationId": "665f1f77bcf86cd799439011"})), Ok(ConversationChoice::This(_))));
        for bad in [json!(1), json!("x"), json!({"$ne": null}), json!("zz5f1f77bcf86cd799439011")] {
            assert!(of(json!({ "conversationId": bad })).is_err());
        }
        assert!(wants_live(json!({"live": true}).as_object().unwrap()));
        assert!(wants_live(json!({"live": "1"}).as_object().unwrap()));
        assert!(!wants_live(json!({"live": "no"}).as_object().unwrap()));
    }
}
