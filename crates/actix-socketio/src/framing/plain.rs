//! Events on a WebSocket without Socket.IO: text frames of the form `{"event": "name", "data": ...}`.

use engineioxide_core::Str;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{FrameError, read_json, socket::NAME_MAX};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    event: String,
    #[serde(default)]
    data: Json,
}

/// Parses an event: its name and its data, which is null if absent.
///
/// # Errors
/// [`FrameError::Plain`].
pub fn read(text: &str) -> Result<(String, Json), FrameError> {
    let Frame { event, data } = read_json(text).map_err(|error| FrameError::Plain(error.to_string()))?;
    if event.is_empty() || event.len() > NAME_MAX {
        return Err(FrameError::Plain("an event has a name of bounded length".to_owned()));
    }
    Ok((event, data))
}

/// Encodes an event.
#[must_use]
pub fn event(name: &str, data: Json) -> Str {
    Str::from(serde_json::json!({ "event": name, "data": data }).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_round_trip_and_others_are_refused() {
        let written = event("message", json!({"text": "é\u{1f600}"}));
        assert_eq!(read(&written), Ok(("message".to_owned(), json!({"text": "é\u{1f600}"}))));
        assert_eq!(read(r#"{"event":"a\"b"}"#), Ok(("a\"b".to_owned(), Json::Null)));
        for text in ["", "a", "[]", "{}", r#"{"event":1}"#, r#"{"event":""}"#, r#"{"event":"a","more":1}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
