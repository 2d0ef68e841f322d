//! The rooms of conversations that somebody is in.
//!
//! **Invariant:** all sockets of one conversation are in one room, which lives as long as one of
//! them, or a turn that is told to them; a room of nobody takes no memory for long.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::Key;
use crate::ws::socket::Room;

/// How many are remembered before those of nobody are first looked for.
const PURGE_FROM: usize = 1024;

/// The rooms, by conversation.
#[derive(Default)]
pub(super) struct Rooms(Mutex<Known>);

#[derive(Default)]
struct Known {
    rooms: HashMap<Key, Weak<Room>>,
    purge_at: usize,
}

impl Rooms {
    /// The room of a conversation.
    pub(super) fn of(&self, key: Key) -> Arc<Room> {
        let mut known = self.0.lock();
        if let Some(room) = known.rooms.get(&key).and_then(Weak::upgrade) {
            return room;
        }
        if known.rooms.len() >= known.purge_at.max(PURGE_FROM) {
            known.rooms.retain(|_, room| room.strong_count() > 0);
            known.rooms.shrink_to(PURGE_FROM);
            known.purge_at = known.rooms.len().saturating_mul(2);
        }
        let room = Arc::new(Room::default());
        known.rooms.insert(key, Arc::downgrade(&room));
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ConversationId, UserId};

    #[test]
    fn a_conversation_has_one_room_and_rooms_of_nobody_go() {
        let rooms = Rooms::default();
        let key = (UserId::generate(), ConversationId::generate());
        let room = rooms.of(key);
        assert!(Arc::ptr_eq(&room, &rooms.of(key)));
        for _ in 0..3 * PURGE_FROM {
            rooms.of((key.0, ConversationId::generate()));
        }
        assert!(Arc::ptr_eq(&room, &rooms.of(key)));
        assert!(rooms.0.lock().rooms.len() <= PURGE_FROM + 1);
    }
}
