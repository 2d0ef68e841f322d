//! The chat's sockets from outside.

mod chat;
