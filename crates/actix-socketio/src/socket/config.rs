//! Time limits and bounds of Socket.IO.

use std::time::Duration;

/// The allowed rate of packets on one connection.
#[derive(Debug, Clone, Copy)]
pub struct EventRate {
    /// On average.
    pub per_second: u32,
    /// In a burst.
    pub burst: u32,
}

/// Time limits and bounds of Socket.IO.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// How long a connection may be without a namespace.
    pub connect_timeout: Duration,
    /// Time limit for one call of a handler.
    pub handler_deadline: Duration,
    /// The maximum number of attachments of one packet.
    pub attachments: usize,
    /// The maximum size of these attachments in bytes.
    pub attachments_bytes: usize,
    /// The time limit from a packet to the last of its attachments.
    pub attachments_within: Duration,
    /// The maximum number of sockets of one user, in all namespaces of this server.
    pub sockets_per_user: usize,
    /// The rate limit of one connection; `None` for no limit.
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
