//! Socket.IO 5 over sessions of [`engine`](super::engine): namespaces, events, acknowledgements.
//!
//! A [`SocketServer`] has a [`Namespace`] for each name that clients may join. A namespace accepts
//! or refuses clients; each accepted client has a [`SocketHandler`], which is called with
//! one event at a time. To send to a client, code keeps a clone of its [`Socket`], or a [`Room`] of several
//! sockets.
//!
//! Before each event, the handler is asked whether its client is still authorized
//! ([`SocketHandler::authorize`]).
//!
//! **Invariant:** each call of a handler has a deadline; an accepted handler is notified of its
//! end once, unless the process dies.

mod config;
mod connection;
mod namespace;
mod rate;
mod room;
mod server;
#[expect(clippy::module_inception, reason = "a socket of the Socket.IO protocol")]
mod socket;
mod socket_counts;

pub use config::{EventRate, SocketConfig};
pub use namespace::{Accepted, Connecting, DisconnectReason, Event, Handshake, Namespace, Refusal, SocketHandler};
pub use room::Room;
pub use server::SocketServer;
pub use socket::{Ack, EmitError, Socket};

pub use crate::framing::socket::Data;
