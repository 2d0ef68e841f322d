//! Pings, and the end of sessions whose clients do not answer them.

use tokio::time::Instant;

use super::{CloseReason, Session};
use crate::framing::engine::Packet;

impl Session {
    /// The client answered a ping.
    pub(in crate::engine) fn pong(&self, now: Instant) {
        let mut state = self.0.state.lock();
        if state.pong_by.take().is_some() {
            state.next_ping = now + self.0.config.ping_interval;
            drop(state);
            self.0.changed.notify_one();
        }
    }

    /// Sends a ping or closes the session if that is due. Returns the time of the next check; `None` when the session is
    /// closed.
    pub(in crate::engine) fn heartbeat(&self, now: Instant) -> Option<Instant> {
        self.expire(now);
        let config = &self.0.config;
        let mut state = self.0.state.lock();
        if state.closed.is_some() {
            return None;
        }
        if let Some(by) = state.pong_by {
            return Some(by);
        }
        if state.next_ping > now {
            return Some(state.next_ping);
        }
        // Counted from when the ping was due, unless this process itself was late.
        let by = (state.next_ping + config.ping_timeout).max(now + config.ping_timeout / 2);
        state.pong_by = Some(by);
        state.outbox.push_control(Packet::Ping);
        state.flush();
        Some(by)
    }

    /// Closes a session whose client missed its deadline, even if the session's task is late.
    pub(super) fn expire(&self, now: Instant) {
        let over = {
            let state = self.0.state.lock();
            let by = state.pong_by.unwrap_or(state.next_ping + self.0.config.ping_timeout);
            state.closed.is_none() && by <= now
        };
        if over {
            self.close(CloseReason::PingTimeout);
        }
    }
}
