//! The upgrade of a session from polling to a WebSocket.
//!
//! **Invariant:** only one WebSocket at a time may upgrade a session, and a session has at most one WebSocket.

use actix::Recipient;
use tokio::time::Instant;

use super::{CloseReason, Session, Transport};
use crate::{engine::websocket::OutboxReady, framing::engine::Packet};

impl Session {
    /// Whether a WebSocket may upgrade this session.
    pub(in crate::engine) fn may_upgrade(&self, now: Instant) -> bool {
        self.expire(now);
        let state = self.0.state.lock();
        state.closed.is_none() && !state.upgrading && matches!(state.transport, Transport::Polling { .. })
    }

    /// Handles the probe of a WebSocket: a waiting poll ends, so that the client can upgrade.
    pub(in crate::engine) fn probe(&self) -> bool {
        let mut state = self.0.state.lock();
        if state.closed.is_some() || state.upgrading || matches!(state.transport, Transport::Websocket { .. }) {
            return false;
        }
        state.upgrading = true;
        if let Transport::Polling { waiter: Some(_), .. } = &state.transport {
            state.outbox.push_control(Packet::Noop);
            state.flush();
        }
        true
    }

    /// Handles the end of a WebSocket that probed but did not upgrade.
    pub(in crate::engine) fn abandon_upgrade(&self) {
        self.0.state.lock().upgrading = false;
    }

    /// Makes this WebSocket the session's transport.
    pub(in crate::engine) fn attach(&self, address: Recipient<OutboxReady>) {
        let mut state = self.0.state.lock();
        if let Transport::Polling { waiter: Some(waiter), .. } = &mut state.transport
            && !waiter.is_closed()
        {
            state.outbox.push_control(Packet::Noop);
            state.flush();
        }
        state.upgrading = false;
        state.transport = Transport::Websocket { address, notified: false };
        state.flush();
    }

    /// The packets that the WebSocket has to send, and whether it has to close afterwards.
    pub(in crate::engine) fn take_outgoing(&self) -> (Vec<Packet>, Option<CloseReason>) {
        let mut state = self.0.state.lock();
        if let Transport::Websocket { notified, .. } = &mut state.transport {
            *notified = false;
        }
        (state.outbox.take(), state.closed)
    }
}
