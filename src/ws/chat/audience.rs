//! Where a turn is told to.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::ws::{
    agent::{Audience, Told},
    socket::{Refusal, Room},
};

/// The sockets of a conversation, until the turn's end.
///
/// **Invariant:** nothing is told after the end, which is told once, whoever still holds it.
pub(super) struct Stage {
    room: Arc<Room>,
    open: Mutex<bool>,
}

impl Stage {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, open: Mutex::new(true) }
    }

    /// Ends the turn with the whole reply.
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

impl Audience for Stage {
    fn tell(&self, told: Told) {
        let (event, data) = match told {
            Told::Delta(piece) => ("delta", json!(piece)),
            Told::Status(words) => ("status", json!(words)),
            Told::Products(products) => ("products", json!(products)),
            Told::Cart(cart) => ("cart", cart),
        };
        // Held meanwhile, so that nothing comes after the end.
        let open = self.open.lock();
        if *open {
            self.room.emit(event, &data);
        }
    }
}
