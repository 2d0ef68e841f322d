//! Live events for pages: how full the cart is, and what became of an order.
//!
//! They go to sockets that asked for them when they connected, of this process alone: they are a
//! convenience, and a page that is loaded shows the same.
//!
//! **Invariant:** a user's events reach her own sockets and nobody else's; while nobody listens,
//! a change costs one look at a number.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::json;

use super::socket::{Room, Socket};
use crate::{
    actors::{cart::CartListener, order_saga::OrderListener},
    domain::{cart::Cart, ids::UserId, order::Order},
};

/// Who listens.
#[derive(Default)]
pub struct Live {
    listening: AtomicUsize,
    users: Mutex<HashMap<UserId, Arc<Room>>>,
}

/// A socket that listens, until this is dropped.
pub struct Seat {
    live: Arc<Live>,
    user: UserId,
    socket: Socket,
}

impl Live {
    /// Lets a user's socket listen.
    #[must_use]
    pub fn seat(self: &Arc<Self>, user: UserId, socket: Socket) -> Seat {
        self.users.lock().entry(user).or_default().join(socket.clone());
        self.listening.fetch_add(1, Ordering::SeqCst);
        Seat { live: Arc::clone(self), user, socket }
    }

    fn room(&self, user: UserId) -> Option<Arc<Room>> {
        if self.listening.load(Ordering::SeqCst) == 0 {
            return None;
        }
        self.users.lock().get(&user).cloned()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.listening.fetch_sub(1, Ordering::SeqCst);
        let mut users = self.live.users.lock();
        if let Some(room) = users.get(&self.user) {
            room.leave(self.socket.id());
            if room.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}

impl CartListener for Live {
    fn cart_changed(&self, cart: &Cart) {
        if let Some(room) = self.room(cart.user) {
            room.emit("badge", &json!({ "count": cart.units() }));
        }
    }
}

impl OrderListener for Live {
    fn status_changed(&self, order: &Order) {
        if let Some(room) = self.room(order.user) {
            room.emit("order", &json!({ "id": order.id, "status": order.status }));
        }
    }
}
