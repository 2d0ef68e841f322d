//! Sockets: conversations with the assistant, and live events for pages, over the transport of
//! [`actix_socketio`].
//!
//! A transport may come and go under a session, and sockets come and go above whoever answers
//! them: an actor that outlives its sockets keeps a [`socket::Room`] of those it has now.

pub mod agent;
pub mod chat;
pub mod live;

pub use actix_socketio::{engine, framing, socket};
