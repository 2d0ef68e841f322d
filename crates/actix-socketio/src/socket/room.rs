//! The sockets that one actor sends to.

use parking_lot::Mutex;
use serde_json::Value as Json;

use super::Socket;

/// Sockets that receive the same events. An actor keeps a room while sockets come and go.
#[derive(Default)]
pub struct Room(Mutex<Vec<Socket>>);

impl Room {
    /// Adds a socket and removes sockets that have ended.
    pub fn join(&self, socket: Socket) {
        let mut sockets = self.0.lock();
        sockets.retain(|member| !member.is_over() && member.id() != socket.id());
        sockets.push(socket);
    }

    /// Removes the socket with this id.
    pub fn leave(&self, id: &str) {
        let mut sockets = self.0.lock();
        sockets.retain(|member| !member.is_over() && member.id() != id);
        sockets.shrink_to_fit();
    }

    /// Sends an event to all sockets; returns their number.
    pub fn emit(&self, name: &str, argument: &Json) -> usize {
        // The lock gives concurrent events the same order for all sockets.
        let mut sockets = self.0.lock();
        sockets.retain(|member| member.emit(name, argument.clone()).is_ok());
        sockets.len()
    }

    /// Sends an event to all sockets except the one with this id; returns the number of receivers.
    pub fn emit_to_others(&self, id: &str, name: &str, argument: &Json) -> usize {
        let mut sockets = self.0.lock();
        sockets.retain(|member| member.id() == id || member.emit(name, argument.clone()).is_ok());
        sockets.iter().filter(|member| member.id() != id).count()
    }

    /// Disconnects every socket of the room.
    pub fn disconnect(&self) {
        let sockets = std::mem::take(&mut *self.0.lock());
        for socket in sockets {
            socket.disconnect();
        }
    }

    /// The number of connected sockets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().iter().filter(|member| !member.is_over()).count()
    }

    /// Whether no socket is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
