//! The sessions whose clients have not said who they are.
//!
//! **Invariant:** one address has a bounded number of them, and so have all addresses together. A new one ends the
//! oldest: a client says who it is within moments, those who only take places do not.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::Mutex;

use super::{EngineConfig, Session};
use crate::framing::engine::Sid;

type Address = Option<IpAddr>;

#[derive(Default)]
pub(super) struct Anonymous(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// The oldest first.
    sessions: HashMap<Address, VecDeque<Session>>,
    count: usize,
}

impl Anonymous {
    /// Adds a new session, and returns the one that has to end for it.
    pub(super) fn add(self: &Arc<Self>, address: Address, session: Session, config: &EngineConfig) -> Option<Session> {
        session.take_place(Place { anonymous: Arc::clone(self), address, sid: session.id() });
        let mut table = self.0.lock();
        let of_address = table.sessions.entry(address).or_default();
        of_address.push_back(session);
        let too_many = of_address.len() > config.max_anonymous_per_address;
        table.count += 1;
        if too_many {
            return table.take_oldest(address);
        }
        if table.count <= config.max_anonymous {
            return None;
        }
        let most = table.sessions.iter().max_by_key(|(_, sessions)| sessions.len()).map(|(address, _)| *address)?;
        table.take_oldest(most)
    }
}

/// Where a session is counted, until this is dropped.
pub(super) struct Place {
    anonymous: Arc<Anonymous>,
    address: Address,
    sid: Sid,
}

impl Drop for Place {
    fn drop(&mut self) {
        // The session is dropped without the lock.
        let _session = self.anonymous.0.lock().take(self.address, |sessions| {
            let at = sessions.iter().position(|known| known.id() == self.sid)?;
            sessions.remove(at)
        });
    }
}

impl Table {
    fn take_oldest(&mut self, address: Address) -> Option<Session> {
        self.take(address, VecDeque::pop_front)
    }

    fn take(
        &mut self,
        address: Address,
        which: impl FnOnce(&mut VecDeque<Session>) -> Option<Session>,
    ) -> Option<Session> {
        let sessions = self.sessions.get_mut(&address)?;
        let taken = which(sessions)?;
        if sessions.is_empty() {
            self.sessions.remove(&address);
        }
        self.count -= 1;
        Some(taken)
    }
}
