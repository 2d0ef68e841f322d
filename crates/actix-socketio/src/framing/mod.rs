//! Packets as text and bytes, and back. Stands alone: no I/O, no clock of its own, nothing of the
//! rest of the program, so that a fuzzer can build it by itself.
//!
//! **Invariant:** any input is a packet or a [`FrameError`]; none is a panic.

pub mod engine;
pub mod plain;
pub mod socket;

/// What was sent is no packet of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No packet of Engine.IO.
    #[error("not an Engine.IO packet: {0}")]
    Engine(String),
    /// More packets at once than are taken.
    #[error("more than {0} packets at once")]
    TooMany(usize),
    /// No packet of Socket.IO.
    #[error("not a Socket.IO packet: {0}")]
    Socket(String),
    /// No event of a plain WebSocket.
    #[error("not an event: {0}")]
    Plain(String),
}
