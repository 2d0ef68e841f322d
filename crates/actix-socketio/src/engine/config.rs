//! Time limits and bounds of an engine.

use std::time::Duration;

/// Time limits and bounds of an engine. The defaults are those of the reference server, with tighter bounds.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The time from the client's last answer to the next ping.
    pub ping_interval: Duration,
    /// The time after a ping in which the client has to answer.
    pub ping_timeout: Duration,
    /// The maximum size in bytes of a POST, a WebSocket frame, or a message of several frames.
    pub max_payload: usize,
    /// The maximum number of packets in one POST.
    pub max_packets: usize,
    /// The time in which a WebSocket that opens for an upgrade has to complete it.
    pub upgrade_timeout: Duration,
    /// The maximum number of received messages that are not handled yet; then the client has to wait.
    pub inbox: usize,
    /// How long a client may wait for the inbox, or take to send one POST, before its session ends.
    pub receive_deadline: Duration,
    /// The maximum number of packets waiting to be sent; one more ends the session.
    pub outbox: usize,
    /// The maximum size of these packets in bytes.
    pub outbox_bytes: usize,
    /// The maximum number of sessions; a further client gets 503.
    pub max_sessions: usize,
    /// The maximum number of sessions whose clients have not said who they are (`Session::identified`), of one
    /// address; one more ends the oldest of them.
    pub max_anonymous_per_address: usize,
    /// The same of all addresses; one more ends the oldest of the address that has most.
    pub max_anonymous: usize,
    /// How long a session that the server closed is kept so that one poll can take the last packets.
    pub linger: Duration,
    /// How long a protocol may take to finish after its session ended.
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
            max_anonymous_per_address: 1_024,
            max_anonymous: 4_096,
            linger: Duration::from_secs(2),
            end_deadline: Duration::from_secs(5),
        }
    }
}
