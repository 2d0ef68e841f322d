//! Socket.IO 5 over sessions of [`engine`](super::engine): namespaces, events, acknowledgements.
//!
//! A [`SocketServer`] has a [`Namespace`] for each name that clients may join. A namespace accepts
//! or refuses; what it accepts is answered by a [`SocketHandler`], one a socket, which is called
//! one event after the other. [`Socket`] is the other direction: it may be cloned and kept by
//! whoever has something to say, and [`Room`] is a set of them.
//!
//! Before each event the handler is asked whether its client may still be there
//! ([`SocketHandler::authorize`]).
//!
//! **Invariant:** each call of a handler has a deadline; a handler that is accepted is told of its
//! end once, unless the process dies.

mod config;
mod connection;
mod namespace;
mod places;
mod rate;
mod room;
mod server;
#[expect(clippy::module_inception, reason = "the socket of the protocol of sockets")]
mod socket;

pub use config::{EventRate, SocketConfig};
pub use namespace::{Accepted, Connecting, DisconnectReason, Event, Handshake, Namespace, Refusal, SocketHandler};
pub use room::Room;
pub use server::SocketServer;
pub use socket::{Ack, EmitError, Socket};

pub use crate::framing::socket::Data;
