//! Live events for web pages: the number of items in the cart and the status of orders.
//!
//! They go only to sockets of this process that asked for them when they connected. They are a convenience: a page
//! that is reloaded shows the same.
//!
//! **Invariant:** a user's events reach only the user's own sockets; without subscriptions a change costs one atomic
//! read.

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

/// The subscriptions by user.
#[derive(Default)]
pub struct Live {
    listening: AtomicUsize,
    users: Mutex<HashMap<UserId, Arc<Room>>>,
}

/// A socket's subscription; it ends when this is dropped.
pub struct Subscription {
    live: Arc<Live>,
    user: UserId,
    socket: Socket,
}

impl Live {
    /// Subscribes a user's socket.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, user: UserId, socket: Socket) -> Subscription {
        self.users.lock().entry(user).or_default().join(socket.clone());
        self.listening.fetch_add(1, Ordering::SeqCst);
        Subscription { live: Arc::clone(self), user, socket }
    }

    fn room(&self, user: UserId) -> Option<Arc<Room>> {
        if self.listening.load(Ordering::SeqCst) == 0 {
            return None;
        }
        self.users.lock().get(&user).cloned()
    }
}

impl Drop for Subscription {
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
