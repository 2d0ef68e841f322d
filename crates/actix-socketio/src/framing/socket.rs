//! Socket.IO packets: a text frame, followed by as many binary frames as it announces.
//!
//! Arguments are JSON with placeholders for attachments; the attachments are kept in a separate list in the order of
//! their numbers.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use engineioxide_core::Str;
use serde_json::{Map, Value as Json};
use socketioxide_core::{
    Value,
    packet::{Packet, PacketData},
    parser::{Parse, ParseConfig, ParseError, ParserState},
};
use socketioxide_parser_common::CommonParser;

use super::{FrameError, read_json};

/// The maximum length of a namespace's or an event's name, in bytes.
pub(super) const NAME_MAX: usize = 256;

/// A complete packet from a client, with its attachments.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// The client wants to join a namespace.
    Connect {
        namespace: String,
        /// The client's credentials.
        auth: Map<String, Json>,
    },
    /// The client leaves a namespace.
    Disconnect { namespace: String },
    /// An event.
    Event {
        namespace: String,
        name: String,
        /// The arguments and their attachments.
        data: Data,
        /// The id of the acknowledgement, if the client waits for one.
        ack: Option<i64>,
    },
    /// The client acknowledges an event of the server.
    Ack {
        namespace: String,
        /// The id of the event.
        id: i64,
        /// The arguments and their attachments.
        data: Data,
    },
}

/// Arguments with a placeholder `{"_placeholder":true,"num":0}` for each attachment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    pub args: Vec<Json>,
    /// The attachments in the order of their numbers.
    pub attachments: Vec<Bytes>,
}

impl Data {
    /// Arguments without attachments.
    #[must_use]
    pub const fn new(args: Vec<Json>) -> Self {
        Self { args, attachments: vec![] }
    }

    fn into_value(self, name: Option<&str>) -> Value {
        let name = name.map(|name| Json::String(name.to_owned()));
        let text = Json::Array(name.into_iter().chain(self.args).collect()).to_string();
        let attachments = (!self.attachments.is_empty()).then(|| VecDeque::from(self.attachments));
        Value::Str(Str::from(text), attachments)
    }
}

/// A packet for a client: a text frame and the binary frames that follow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    pub text: Str,
    pub attachments: Vec<Bytes>,
}

/// Bounds on attachments.
#[derive(Debug, Clone, Copy)]
pub struct AttachmentLimits {
    /// The maximum number of attachments of one packet.
    pub count: usize,
    /// The maximum size of all attachments of one packet.
    pub bytes: usize,
    /// The time limit from a packet to the last of its attachments.
    pub within: Duration,
}

/// Assembles packets from text and binary frames.
#[derive(Debug)]
pub struct Decoder {
    config: ParseConfig,
    state: ParserState,
    incomplete: bool,
}

impl Decoder {
    #[must_use]
    pub fn new(limits: AttachmentLimits) -> Self {
        let config = ParseConfig {
            max_incoming_binary_buf_size: limits.bytes,
            max_incoming_binaries: limits.count,
            packet_completion_timeout: limits.within,
        };
        Self { config, state: ParserState::default(), incomplete: false }
    }

    /// Whether attachments are missing.
    #[must_use]
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Adds a text frame; returns `None` if attachments follow.
    ///
    /// # Errors
    /// [`FrameError::Socket`]; the session cannot continue then.
    pub fn text(&mut self, text: Str) -> Result<Option<Incoming>, FrameError> {
        let decoded = CommonParser.decode_str(&self.config, &self.state, text);
        self.decoded(decoded)
    }

    /// Adds a binary frame; returns `None` if more follow.
    ///
    /// # Errors
    /// [`FrameError::Socket`], also if no attachment is expected.
    pub fn binary(&mut self, data: Bytes) -> Result<Option<Incoming>, FrameError> {
        let decoded = CommonParser.decode_bin(&self.config, &self.state, data);
        self.decoded(decoded)
    }

    fn decoded(&mut self, decoded: Result<Packet, ParseError>) -> Result<Option<Incoming>, FrameError> {
        self.incomplete = matches!(decoded, Err(ParseError::NeedsMoreBinaryData));
        match decoded {
            Ok(packet) => incoming(packet).map(Some),
            Err(ParseError::NeedsMoreBinaryData) => Ok(None),
            Err(error) => Err(bad(error)),
        }
    }
}

fn bad(error: impl ToString) -> FrameError {
    FrameError::Socket(error.to_string())
}

fn incoming(packet: Packet) -> Result<Incoming, FrameError> {
    if packet.ns.len() > NAME_MAX {
        return Err(bad("the namespace's name is too long"));
    }
    let namespace = packet.ns.as_str().to_owned();
    match packet.inner {
        PacketData::Connect(None) => Ok(Incoming::Connect { namespace, auth: Map::new() }),
        PacketData::Connect(Some(auth)) => {
            let auth = read_json(text_of(&auth)?).map_err(bad)?;
            Ok(Incoming::Connect { namespace, auth })
        }
        PacketData::Disconnect => Ok(Incoming::Disconnect { namespace }),
        PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack) => {
            let mut data = data_of(value)?;
            let named = (!data.args.is_empty()).then(|| data.args.remove(0));
            let Some(Json::String(name)) = named.filter(|name| name.as_str().is_some_and(is_event)) else {
                return Err(bad("an event has a name"));
            };
            Ok(Incoming::Event { namespace, name, data, ack })
        }
        PacketData::EventAck(value, id) | PacketData::BinaryAck(value, id) => {
            Ok(Incoming::Ack { namespace, id, data: data_of(value)? })
        }
        PacketData::ConnectError(_) => Err(bad("only a server refuses")),
    }
}

/// Whether a name is allowed for events; some are reserved by Socket.IO.
fn is_event(name: &str) -> bool {
    name.len() <= NAME_MAX && !["connect", "connect_error", "disconnect", "disconnecting"].contains(&name)
}

fn text_of(value: &Value) -> Result<&str, FrameError> {
    value.as_str().map(Str::as_str).ok_or_else(|| bad("text was expected"))
}

fn data_of(value: Value) -> Result<Data, FrameError> {
    let args = read_json(text_of(&value)?).map_err(bad)?;
    let attachments = match value {
        Value::Str(_, Some(attachments)) => attachments.into(),
        Value::Str(_, None) | Value::Bytes(_) => vec![],
    };
    Ok(Data { args, attachments })
}

fn encode(packet: Packet) -> Outgoing {
    match CommonParser.encode(packet) {
        Value::Str(text, attachments) => Outgoing { text, attachments: attachments.map(Vec::from).unwrap_or_default() },
        // This does not happen with this parser; as an attachment the data is at least not lost.
        Value::Bytes(bytes) => Outgoing { text: Str::from(""), attachments: vec![bytes] },
    }
}

fn named(namespace: &str) -> Str {
    Str::copy_from_slice(namespace)
}

/// Tells the client that it has joined a namespace, and its socket's id.
#[must_use]
pub fn connected(namespace: &str, id: &str) -> Outgoing {
    let accepted = serde_json::json!({ "sid": id }).to_string();
    encode(Packet::connect(named(namespace), Some(Value::Str(Str::from(accepted), None))))
}

/// Tells the client that it may not join a namespace.
#[must_use]
pub fn refused(namespace: &str, message: &str) -> Outgoing {
    encode(Packet::connect_error(named(namespace), message))
}

/// Tells the client that it has left a namespace.
#[must_use]
pub fn disconnected(namespace: &str) -> Outgoing {
    encode(Packet::disconnect(named(namespace)))
}

/// An event; if it has an id, the client acknowledges it.
#[must_use]
pub fn event(namespace: &str, name: &str, data: Data, id: Option<i64>) -> Outgoing {
    let mut packet = Packet::event(named(namespace), data.into_value(Some(name)));
    if let Some(id) = id {
        packet.inner.set_ack_id(id);
    }
    encode(packet)
}

/// The acknowledgement of a client's event.
#[must_use]
pub fn acknowledged(namespace: &str, id: i64, data: Data) -> Outgoing {
    encode(Packet::ack(named(namespace), data.into_value(None), id))
}

#[cfg(test)]
mod tests;
