//! The way of a session from polling to a WebSocket.
//!
//! **Invariant:** one WebSocket at a time tries to take a session over, and one has it.

use actix::Recipient;
use tokio::time::Instant;

use super::{CloseReason, Session, Transport};
use crate::{engine::websocket::Wake, framing::engine::Packet};

impl Session {
    /// Whether a WebSocket may try to take this session over.
    pub(in crate::engine) fn may_upgrade(&self, now: Instant) -> bool {
        self.expire(now);
        let state = self.0.state.lock();
        state.closed.is_none() && !state.upgrading && matches!(state.transport, Transport::Polling { .. })
    }

    /// A WebSocket was probed: a waiting poll ends, so that the client can move.
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

    /// The WebSocket that probed went away before the upgrade.
    pub(in crate::engine) fn abandon_upgrade(&self) {
        self.0.state.lock().upgrading = false;
    }

    /// Sends by this WebSocket from now on.
    pub(in crate::engine) fn attach(&self, address: Recipient<Wake>) {
        let mut state = self.0.state.lock();
        if let Transport::Polling { waiter: Some(waiter), .. } = &mut state.transport
            && !waiter.is_closed()
        {
            state.outbox.push_control(Packet::Noop);
            state.flush();
        }
        state.upgrading = false;
        state.transport = Transport::Websocket { address, woken: false };
        state.flush();
    }

    /// What the WebSocket is to send, and whether it is to close then.
    pub(in crate::engine) fn take_outgoing(&self) -> (Vec<Packet>, Option<CloseReason>) {
        let mut state = self.0.state.lock();
        if let Transport::Websocket { woken, .. } = &mut state.transport {
            *woken = false;
        }
        (state.outbox.take(), state.closed)
    }
}
