//! Sockets: conversations with the assistant and live events for pages, over [`actix_socketio`].
//!
//! Sessions outlive their transports, and actors outlive their sockets: an actor that sends to sockets keeps a
//! [`socket::Room`] of those that are connected now.

pub mod agent;
pub mod chat;
pub mod live;

pub use actix_socketio::{engine, framing, socket};
