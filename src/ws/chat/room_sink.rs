//! Sends the events of a turn to the sockets of its conversation.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::ws::{
    agent::{ReplySink, TurnEvent},
    socket::{Refusal, Room},
};

/// The sockets of a conversation, as the reply sink of one turn.
///
/// **Invariant:** the end of the turn is sent once, and nothing is sent after it.
pub(super) struct RoomSink {
    room: Arc<Room>,
    open: Mutex<bool>,
}

impl RoomSink {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, open: Mutex::new(true) }
    }

    /// Ends the turn with the complete reply.
    pub(super) fn reply(&self, text: &str) {
        self.end("message", &json!(text));
    }

    /// Ends the turn without a reply.
    pub(super) fn fail(&self, refusal: &Refusal) {
        self.end("error", &json!({ "code": refusal.code, "message": refusal.message }));
    }

    fn end(&self, event: &str, data: &Json) {
        if std::mem::replace(&mut *self.open.lock(), false) {
            self.room.emit(event, data);
        }
    }
}

impl ReplySink for RoomSink {
    fn send(&self, event: TurnEvent) {
        let (event, data) = match event {
            TurnEvent::Delta(piece) => ("delta", json!(piece)),
            TurnEvent::Status(words) => ("status", json!(words)),
            TurnEvent::Products(products) => ("products", json!(products)),
            TurnEvent::Cart(cart) => ("cart", cart),
        };
        // The lock is held while the event is sent, so that no event follows the end.
        let open = self.open.lock();
        if *open {
            self.room.emit(event, &data);
        }
    }
}
