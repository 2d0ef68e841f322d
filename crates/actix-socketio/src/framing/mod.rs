//! Parsing and encoding of packets. It has no I/O, no clock and no dependency on the rest of the crate, so that a
//! fuzzer can build it alone.
//!
//! **Invariant:** any input yields a packet or a [`FrameError`]; none causes a panic.

pub mod engine;
pub mod plain;
pub mod socket;

use serde::de::DeserializeOwned;

/// Reads JSON. Half of a surrogate pair, which JavaScript sends and no Rust string can hold, is read as U+FFFD.
fn read_json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
        .or_else(|error| if has_half(text) { serde_json::from_str(&mend(text)) } else { Err(error) })
}

fn has_half(text: &str) -> bool {
    text.contains("\\uD") || text.contains("\\ud")
}

/// Replaces escapes that are half of a surrogate pair.
fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (length, is_half) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, false),
            (Some(0xd800..=0xdfff), _) => (6, true),
            (Some(_), _) => (6, false),
            (None, _) => (escape.chars().take(2).map(char::len_utf8).sum(), false),
        };
        let (escape, after) = escape.split_at(length);
        mended.push_str(if is_half { "\\ufffd" } else { escape });
        rest = after;
    }
    mended + rest
}

/// The UTF-16 unit of an escape at the beginning.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Why the input is not a packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not an Engine.IO packet.
    #[error("not an Engine.IO packet: {0}")]
    Engine(String),
    /// More packets at once than allowed.
    #[error("more than {0} packets at once")]
    TooMany(usize),
    /// Not a Socket.IO packet.
    #[error("not a Socket.IO packet: {0}")]
    Socket(String),
    /// Not an event of a plain WebSocket.
    #[error("not an event: {0}")]
    Plain(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_is_read_as_the_replacement_character() {
        for (sent, read) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\uDFFF\uD83D\uDE00\ud83d""#, "\u{fffd}\u{1f600}\u{fffd}"),
            (r#""a\ud83d\ud83d\ude00\n""#, "a\u{fffd}\u{1f600}\n"),
            (r#""\\\ud800\\ud800é""#, "\\\u{fffd}\\ud800é"),
        ] {
            assert_eq!(read_json::<String>(sent).unwrap(), read, "{sent}");
        }
        for broken in [r#""\ud8"#, r#""\ud8zz""#, r#"\ud800"#, "\"\\ud800", r#""\ud800\"#] {
            assert!(read_json::<String>(broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn mending_never_panics(text in r#"(\\|u|d8|dc|00|é|")*"#) {
            let _either = read_json::<String>(&text);
        }
    }
}
