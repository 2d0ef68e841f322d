//! The sockets that one actor speaks to.

use parking_lot::Mutex;
use serde_json::Value as Json;

use super::Socket;

/// Sockets that get the same events. An actor keeps one while sockets come and go.
#[derive(Default)]
pub struct Room(Mutex<Vec<Socket>>);

impl Room {
    /// Adds a socket; those that are over are forgotten.
    pub fn join(&self, socket: Socket) {
        let mut sockets = self.0.lock();
        sockets.retain(|member| !member.is_over() && member.id() != socket.id());
        sockets.push(socket);
    }

    /// Removes the socket of this id.
    pub fn leave(&self, id: &str) {
        let mut sockets = self.0.lock();
        sockets.retain(|member| !member.is_over() && member.id() != id);
        sockets.shrink_to_fit();
    }

    /// Sends an event to all; returns to how many.
    pub fn emit(&self, name: &str, argument: &Json) -> usize {
        // In one order for all of them, whoever else emits.
        let mut sockets = self.0.lock();
        sockets.retain(|member| member.emit(name, argument.clone()).is_ok());
        sockets.len()
    }

    /// Sends an event to all but the socket of this id; returns to how many are reached.
    pub fn emit_to_others(&self, id: &str, name: &str, argument: &Json) -> usize {
        let mut sockets = self.0.lock();
        sockets.retain(|member| member.id() == id || member.emit(name, argument.clone()).is_ok());
        sockets.iter().filter(|member| member.id() != id).count()
    }

    /// Ends every socket in it.
    pub fn disconnect(&self) {
        let sockets = std::mem::take(&mut *self.0.lock());
        for socket in sockets {
            socket.disconnect();
        }
    }

    /// How many clients can be reached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().iter().filter(|member| !member.is_over()).count()
    }

    /// Whether nobody can be reached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
