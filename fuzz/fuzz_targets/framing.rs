//! Frames of a client, as the server reads them: the first byte of each says how it comes.
//!
//! What is read as an event or an acknowledgement has to be the same after it is written and read
//! again.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/actix-socketio/src/framing/mod.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod framing;

use framing::{
    engine::{Packet, decode_payload, decode_text, encode_payload},
    plain,
    socket::{AttachmentLimits, Decoder, Incoming, Outgoing, acknowledged, event},
};

const LIMITS: AttachmentLimits = AttachmentLimits { count: 4, bytes: 4096, within: Duration::from_secs(3600) };

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::new(LIMITS);
    for frame in input.split(|byte| *byte == 0xff) {
        let Some((how, rest)) = frame.split_first() else { continue };
        if let Ok((name, data)) = std::str::from_utf8(rest).map_err(drop).and_then(|text| plain::read(text).map_err(drop)) {
            assert_eq!(plain::read(&plain::event(&name, data.clone())), Ok((name, data)));
        }
        let packets = match (how % 3, std::str::from_utf8(rest)) {
            (0, Ok(text)) => decode_payload(text, 64).unwrap_or_default(),
            (1, Ok(text)) => decode_text(text.to_owned()).into_iter().collect(),
            _ => vec![Packet::Binary(Bytes::copy_from_slice(rest))],
        };
        // In a WebSocket a text may have the separator in it, in a body it cannot.
        if how % 3 == 0 && !packets.is_empty() {
            let again = decode_payload(&encode_payload(packets.clone()), 64);
            assert_eq!(again.as_ref(), Ok(&packets));
        }
        for packet in packets {
            let read = match packet {
                Packet::Message(text) => decoder.text(text),
                Packet::Binary(bytes) => decoder.binary(bytes),
                _ => continue,
            };
            match read {
                Ok(Some(incoming)) => written_again(incoming),
                Ok(None) => assert!(decoder.is_incomplete()),
                Err(_) => return,
            }
        }
    }
});

fn written_again(incoming: Incoming) {
    let outgoing = match incoming.clone() {
        Incoming::Event { namespace, name, data, ack } => event(&namespace, &name, data, ack),
        Incoming::Ack { namespace, id, data } => acknowledged(&namespace, id, data),
        Incoming::Connect { .. } | Incoming::Disconnect { .. } => return,
    };
    assert_eq!(read(outgoing), Some(incoming));
}

fn read(outgoing: Outgoing) -> Option<Incoming> {
    let mut decoder = Decoder::new(LIMITS);
    let mut read = decoder.text(outgoing.text).expect("what the server writes is a packet");
    for attachment in outgoing.attachments {
        read = decoder.binary(attachment).expect("an attachment was announced");
    }
    read
}
