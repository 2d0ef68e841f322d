//! Times and bounds of an engine.

use std::time::Duration;

/// Times and bounds of an engine. The defaults are those of the protocol's own server, with tighter bounds.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// From a client's sign of life to the next ping.
    pub ping_interval: Duration,
    /// From a ping to the end of a client that is silent.
    pub ping_timeout: Duration,
    /// The most bytes of a POST, a WebSocket frame, or a message put together from several frames.
    pub max_payload: usize,
    /// Packets in one POST.
    pub max_packets: usize,
    /// From a WebSocket that opens for an upgrade to the upgrade.
    pub upgrade_timeout: Duration,
    /// Messages received and not handled yet; then the client has to wait.
    pub inbox: usize,
    /// How long a client waits so, or sends one POST, before its session ends.
    pub receive_deadline: Duration,
    /// Packets waiting to be sent; one more ends the session.
    pub outbox: usize,
    /// The bytes of them together.
    pub outbox_bytes: usize,
    /// Sessions at once; a client that wants one more gets 503.
    pub max_sessions: usize,
    /// How long a session that the server closed is kept for the poll that takes the last packets.
    pub linger: Duration,
    /// How long a protocol may take to end after its session.
    pub end_deadline: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            max_packets: 256,
            upgrade_timeout: Duration::from_secs(10),
            inbox: 32,
            receive_deadline: Duration::from_secs(10),
            outbox: 1_024,
            outbox_bytes: 4 << 20,
            max_sessions: 20_000,
            linger: Duration::from_secs(2),
            end_deadline: Duration::from_secs(5),
        }
    }
}
