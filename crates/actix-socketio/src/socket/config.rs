//! Times and bounds of Socket.IO.

use std::time::Duration;

/// Events of one connection.
#[derive(Debug, Clone, Copy)]
pub struct EventRate {
    /// In the long run.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Times and bounds of Socket.IO.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// How long a connection may be in no namespace.
    pub connect_timeout: Duration,
    /// How long one call of a handler may take.
    pub handler_deadline: Duration,
    /// Attachments of one packet.
    pub attachments: usize,
    /// The bytes of them together.
    pub attachments_bytes: usize,
    /// From a packet to the last of its attachments.
    pub attachments_within: Duration,
    /// Sockets of one user at once, in all namespaces of this server.
    pub sockets_per_user: usize,
    /// Packets of one connection; `None` is without a limit.
    pub rate: Option<EventRate>,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            handler_deadline: Duration::from_secs(15),
            attachments: 10,
            attachments_bytes: 1_000_000,
            attachments_within: Duration::from_secs(20),
            sockets_per_user: 20,
            rate: Some(EventRate { per_second: 20, burst: 60 }),
        }
    }
}
