//! Socket.IO packets: a text, followed by as many binary frames as it announces.
//!
//! Arguments stay JSON with the placeholders that stand for attachments, which are kept beside
//! them in their order.

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

use super::FrameError;

/// The longest name of a namespace or an event, in bytes.
pub(super) const NAME_MAX: usize = 256;

/// What a client sent, complete with its attachments.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// Wants to join a namespace.
    Connect {
        /// Which.
        namespace: String,
        /// What it shows to be let in.
        auth: Map<String, Json>,
    },
    /// Leaves a namespace.
    Disconnect {
        /// Which.
        namespace: String,
    },
    /// An event.
    Event {
        /// In which namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its arguments and their attachments.
        data: Data,
        /// Set when the client waits for an acknowledgement, which has this id.
        ack: Option<i64>,
    },
    /// Acknowledges an event of the server.
    Ack {
        /// In which namespace.
        namespace: String,
        /// Which event's.
        id: i64,
        /// Its arguments and their attachments.
        data: Data,
    },
}

/// Arguments, with a placeholder `{"_placeholder":true,"num":0}` for each attachment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// The arguments.
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

/// What may be sent to a client: a text, and the binary frames that follow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The packet's text.
    pub text: Str,
    /// Its attachments.
    pub attachments: Vec<Bytes>,
}

/// Bounds on attachments.
#[derive(Debug, Clone, Copy)]
pub struct AttachmentLimits {
    /// Attachments of one packet.
    pub count: usize,
    /// All attachments of one packet together.
    pub bytes: usize,
    /// From a packet to the last of its attachments.
    pub within: Duration,
}

/// Puts packets together from text and binary frames.
#[derive(Debug)]
pub struct Decoder {
    config: ParseConfig,
    state: ParserState,
    incomplete: bool,
}

impl Decoder {
    /// Of one session.
    #[must_use]
    pub fn new(limits: AttachmentLimits) -> Self {
        let config = ParseConfig {
            max_incoming_binary_buf_size: limits.bytes,
            max_incoming_binaries: limits.count,
            packet_completion_timeout: limits.within,
        };
        Self { config, state: ParserState::default(), incomplete: false }
    }

    /// Whether attachments are still to come.
    #[must_use]
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Takes a text; `None` when attachments are to follow.
    ///
    /// # Errors
    /// [`FrameError::Socket`]; the session cannot go on then.
    pub fn text(&mut self, text: Str) -> Result<Option<Incoming>, FrameError> {
        let decoded = CommonParser.decode_str(&self.config, &self.state, text);
        self.decoded(decoded)
    }

    /// Takes a binary frame; `None` when more are to follow.
    ///
    /// # Errors
    /// [`FrameError::Socket`], also when no attachment was to come.
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
            let auth = serde_json::from_str(text_of(&auth)?).map_err(bad)?;
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

/// Names that Socket.IO keeps for itself are no events.
fn is_event(name: &str) -> bool {
    name.len() <= NAME_MAX && !["connect", "connect_error", "disconnect", "disconnecting"].contains(&name)
}

fn text_of(value: &Value) -> Result<&str, FrameError> {
    value.as_str().map(Str::as_str).ok_or_else(|| bad("text was expected"))
}

fn data_of(value: Value) -> Result<Data, FrameError> {
    let args = serde_json::from_str(text_of(&value)?).map_err(bad)?;
    let attachments = match value {
        Value::Str(_, Some(attachments)) => attachments.into(),
        Value::Str(_, None) | Value::Bytes(_) => vec![],
    };
    Ok(Data { args, attachments })
}

fn encode(packet: Packet) -> Outgoing {
    match CommonParser.encode(packet) {
        Value::Str(text, attachments) => Outgoing { text, attachments: attachments.map(Vec::from).unwrap_or_default() },
        // Not with this parser; as an attachment it would at least not be lost.
        Value::Bytes(bytes) => Outgoing { text: Str::from(""), attachments: vec![bytes] },
    }
}

fn named(namespace: &str) -> Str {
    Str::copy_from_slice(namespace)
}

/// The client has joined, as the socket of this id.
#[must_use]
pub fn connected(namespace: &str, id: &str) -> Outgoing {
    let accepted = serde_json::json!({ "sid": id }).to_string();
    encode(Packet::connect(named(namespace), Some(Value::Str(Str::from(accepted), None))))
}

/// The client may not join.
#[must_use]
pub fn refused(namespace: &str, message: &str) -> Outgoing {
    encode(Packet::connect_error(named(namespace), message))
}

/// The server ends the client's stay in a namespace.
#[must_use]
pub fn disconnected(namespace: &str) -> Outgoing {
    encode(Packet::disconnect(named(namespace)))
}

/// An event, which the client is to acknowledge if it has an id.
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
