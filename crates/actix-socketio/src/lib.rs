//! Engine.IO 4 over HTTP and WebSocket for actix-web, and Socket.IO 5 on top of it.
//!
//! Three layers, each knowing only the one below:
//!
//! - [`framing`] turns text and bytes into packets and back; no I/O, no clock.
//! - [`engine`] owns sessions: handshake, long polling, WebSocket, the upgrade from one to the
//!   other, heartbeats, limits. What runs on a session is a [`engine::Protocol`].
//! - [`socket`] is the protocol Socket.IO: namespaces that accept or refuse, events,
//!   acknowledgements, attachments. What answers in a namespace is a [`socket::Namespace`].
//!
//! A transport may come and go under a session, and sockets come and go above whoever answers
//! them: an actor that outlives its sockets keeps a [`socket::Room`] of those it has now.
//!
//! **Invariant:** no input makes these layers panic, wait without a deadline or grow without a
//! bound; what does not fit the protocol or a limit ends its own session and no other.

pub mod engine;
pub mod framing;
pub mod socket;
