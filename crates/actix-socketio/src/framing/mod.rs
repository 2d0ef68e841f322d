//! Parsing and encoding of packets. It has no I/O, no clock and no dependency on the rest of the crate, so that a
//! fuzzer can build it alone.
//!
//! **Invariant:** any input yields a packet or a [`FrameError`]; none causes a panic.

pub mod engine;
pub mod plain;
pub mod socket;

/// Why the input is not a packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not an Engine.IO packet.
    #[error("not an Engine.IO packet: {0}")]
    Engine(String),
    /// More packets at once than allowed.
    #[error("more than {0} packets at once")]
    TooMany(usize),
    /// Not a Socket.IO packet.
    #[error("not a Socket.IO packet: {0}")]
    Socket(String),
    /// Not an event of a plain WebSocket.
    #[error("not an event: {0}")]
    Plain(String),
}
