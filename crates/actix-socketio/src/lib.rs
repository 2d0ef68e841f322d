//! Engine.IO 4 over HTTP and WebSocket for actix-web, and Socket.IO 5 on top of it.
//!
//! Three layers, each of which depends only on the one below:
//!
//! - [`framing`] parses and encodes packets; no I/O, no clock.
//! - [`engine`] owns sessions: handshake, long polling, WebSocket, the upgrade from one to the
//!   other, heartbeats, limits. A [`engine::Protocol`] runs on each session.
//! - [`socket`] is the Socket.IO protocol: namespaces that accept or refuse clients, events,
//!   acknowledgements, attachments. A [`socket::Namespace`] handles each namespace.
//!
//! Sessions outlive their transports, and actors outlive their sockets: an actor that sends to sockets keeps a
//! [`socket::Room`] of those that are connected now.
//!
//! **Invariant:** no input makes these layers panic, wait without a deadline or grow without a
//! bound; input that violates the protocol or a limit ends only its own session.

pub mod engine;
pub mod framing;
pub mod socket;
