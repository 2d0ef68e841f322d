//! Packets that wait for a transport.

use std::collections::VecDeque;

use crate::framing::engine::Packet;

/// Packets that wait for a transport, bounded in number and size.
#[derive(Default)]
pub(super) struct Outbox {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Adds all packets or, if they do not fit, none.
    pub(super) fn push(&mut self, packets: Vec<Packet>, count_max: usize, bytes_max: usize) -> bool {
        let bytes: usize = packets.iter().map(size).sum();
        if self.packets.len() + packets.len() > count_max || self.bytes.saturating_add(bytes) > bytes_max {
            return false;
        }
        self.bytes += bytes;
        self.packets.extend(packets);
        true
    }

    /// Adds a control packet of Engine.IO regardless of the bounds; there are only few of them.
    pub(super) fn push_control(&mut self, packet: Packet) {
        self.bytes += size(&packet);
        self.packets.push_back(packet);
    }

    pub(super) fn take(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        // The memory is released as well, so that an idle session holds none.
        Vec::from(std::mem::take(&mut self.packets))
    }

    /// Puts packets back that could not be sent.
    pub(super) fn put_back(&mut self, packets: Vec<Packet>) {
        self.bytes += packets.iter().map(size).sum::<usize>();
        for packet in packets.into_iter().rev() {
            self.packets.push_front(packet);
        }
    }
}

fn size(packet: &Packet) -> usize {
    packet.get_size_hint(true)
}
