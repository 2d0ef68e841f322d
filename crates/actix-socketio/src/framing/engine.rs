//! Engine.IO packets: one per WebSocket frame, or several in the body of a request.

use engineioxide_core::ProtocolVersion;
pub use engineioxide_core::{OpenPacket, Packet, Sid, Str, TransportType};

use super::FrameError;

/// Separates the packets of one body.
pub const SEPARATOR: char = '\u{1e}';

/// Reads the body of a POST: one packet or several.
///
/// # Errors
/// [`FrameError`] if one of them is invalid, or if there are more than `max`.
pub fn decode_payload(body: &str, max: usize) -> Result<Vec<Packet>, FrameError> {
    let mut packets = Vec::new();
    for part in body.split(SEPARATOR) {
        if packets.len() == max {
            return Err(FrameError::TooMany(max));
        }
        packets.push(decode_text(Str::copy_from_slice(part))?);
    }
    Ok(packets)
}

/// Reads a WebSocket's text frame.
///
/// # Errors
/// [`FrameError::Engine`].
pub fn decode_text(frame: impl Into<Str>) -> Result<Packet, FrameError> {
    Packet::parse(ProtocolVersion::V4, frame).map_err(|error| FrameError::Engine(error.to_string()))
}

/// Encodes packets as the body of a poll, binary data as base64.
pub fn encode_payload(packets: impl IntoIterator<Item = Packet>) -> String {
    let mut body = String::new();
    for (at, packet) in packets.into_iter().enumerate() {
        if at > 0 {
            body.push(SEPARATOR);
        }
        body.push_str(&String::from(packet));
    }
    body
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_payload_round_trips() {
        let packets =
            vec![Packet::Message("é\u{1f600}".into()), Packet::Binary(Bytes::from_static(&[1, 2, 3, 4])), Packet::Pong];
        let body = encode_payload(packets.clone());
        assert_eq!(body, "4é\u{1f600}\u{1e}bAQIDBA==\u{1e}3");
        assert_eq!(decode_payload(&body, 3), Ok(packets));
        assert_eq!(decode_payload(&body, 2), Err(FrameError::TooMany(2)));
    }

    #[test]
    fn invalid_packets_are_refused() {
        for body in ["", "abc", "0{}", "7", "é", "b!", "4a\u{1e}", "\u{1e}4a", "bAQ=", "b=", "4\u{1e}\u{1e}4"] {
            assert!(decode_payload(body, 9).is_err(), "{body:?}");
        }
    }
}
