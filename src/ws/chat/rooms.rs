//! The rooms of conversations that have sockets.
//!
//! **Invariant:** all sockets of one conversation are in one room, which lives as long as one of them or as long as a
//! turn that sends to it; the entry of a dropped room is removed eventually.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::Key;
use crate::ws::socket::Room;

/// From how many entries on those of dropped rooms are removed.
const PURGE_FROM: usize = 1024;

#[derive(Default)]
pub(super) struct Rooms(Mutex<RoomTable>);

#[derive(Default)]
struct RoomTable {
    rooms: HashMap<Key, Weak<Room>>,
    purge_at: usize,
}

impl Rooms {
    /// The room of a conversation.
    pub(super) fn of(&self, key: Key) -> Arc<Room> {
        let mut table = self.0.lock();
        if let Some(room) = table.rooms.get(&key).and_then(Weak::upgrade) {
            return room;
        }
        if table.rooms.len() >= table.purge_at.max(PURGE_FROM) {
            table.rooms.retain(|_, room| room.strong_count() > 0);
            table.rooms.shrink_to(PURGE_FROM);
            table.purge_at = table.rooms.len().saturating_mul(2);
        }
        let room = Arc::new(Room::default());
        table.rooms.insert(key, Arc::downgrade(&room));
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ConversationId, UserId};

    #[test]
    fn a_conversation_has_one_room_and_unused_rooms_are_removed() {
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
