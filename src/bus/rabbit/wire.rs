//! Converts events into messages, and messages of any program into deliveries.

use std::time::Duration;

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use sha2::{Digest, Sha256};

use super::publisher::Outgoing;
use crate::{
    bus::{Delivery, HandleError},
    domain::{
        Timestamp,
        event::Envelope,
        ids::EventId,
        queues::{EXCHANGE, Queue},
    },
    trace::{TRACEPARENT, Trace},
    views::event::{exchange_payload, messages},
};

/// When it happened, RFC 3339.
const OCCURRED_AT: &str = "x-occurred-at";
/// What it happened to.
const AGGREGATE_ID: &str = "x-aggregate-id";
/// How often a message was tried.
const ATTEMPTS: &str = "x-attempts";
/// How often since then it waited for an unavailable dependency.
const WAITS: &str = "x-waits";
/// Why it was not handled.
const REASON: &str = "x-reason";
/// The longest reason, in characters: headers are no place for more.
const REASON_MAX: usize = 500;
/// The delivery mode of persistent messages.
const PERSISTENT: u8 = 2;

/// The messages that an event makes: one for each of its named queues, which must exist, and one for the exchange,
/// which may have no consumer.
///
/// # Errors
/// When a payload cannot be written as JSON.
pub fn outgoing(envelope: &Envelope) -> Result<Vec<Outgoing>, serde_json::Error> {
    let properties = properties(envelope);
    let mut made = Vec::new();
    for message in messages(envelope) {
        made.push(Outgoing {
            exchange: "",
            routing_key: message.queue.to_owned(),
            mandatory: true,
            body: serde_json::to_vec(&message.payload)?,
            properties: properties.clone(),
        });
    }
    made.push(Outgoing {
        exchange: EXCHANGE,
        routing_key: envelope.event.routing_key(),
        mandatory: false,
        body: serde_json::to_vec(&exchange_payload(envelope))?,
        properties,
    });
    Ok(made)
}

/// The message of an event for one queue, by the queue's name; `None` if the event is not for that queue.
///
/// # Errors
/// As [`outgoing`].
pub fn for_queue(envelope: &Envelope, queue: &Queue) -> Result<Option<Outgoing>, serde_json::Error> {
    if queue.takes(&envelope.event.routing_key()) {
        let body = serde_json::to_vec(&exchange_payload(envelope))?;
        let (routing_key, properties) = (queue.name.to_owned(), properties(envelope));
        return Ok(Some(Outgoing { exchange: "", routing_key, mandatory: true, body, properties }));
    }
    let by_name = |message: &Outgoing| message.exchange.is_empty() && message.routing_key == queue.name;
    Ok(outgoing(envelope)?.into_iter().find(by_name))
}

fn properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(OCCURRED_AT.into(), AMQPValue::LongString(envelope.occurred_at.to_string().into()));
    headers.insert(AGGREGATE_ID.into(), AMQPValue::LongString(envelope.event.aggregate_id().into()));
    if let Some(trace) = &envelope.trace {
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(trace.as_str().into()));
    }
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(envelope.id.to_hex().into())
        .with_type(envelope.event.name().into())
        .with_timestamp(u64::try_from(envelope.occurred_at.as_second()).unwrap_or(0))
        .with_headers(headers)
}

fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// The trace that a message belongs to, if it names one.
#[must_use]
pub fn trace(properties: &BasicProperties) -> Option<Trace> {
    header(properties, TRACEPARENT).and_then(|text| Trace::parse(&text))
}

/// The delivery counts in a message's headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryState {
    /// The number of failed attempts.
    pub attempts: usize,
    /// How often since then it waited for an unavailable dependency.
    pub waits: usize,
}

impl RetryState {
    /// Reads the state from a message's properties.
    #[must_use]
    pub fn of(properties: &BasicProperties) -> Self {
        Self { attempts: number(properties, ATTEMPTS), waits: number(properties, WAITS) }
    }
}

fn number(properties: &BasicProperties, name: &str) -> usize {
    match properties.headers().as_ref().and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongLongInt(count)) => usize::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongInt(count)) => usize::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}

/// Why a message was not handled, if the header is present.
#[must_use]
pub fn reason(properties: &BasicProperties) -> Option<String> {
    header(properties, REASON)
}

/// The properties of a failed message: for a retry queue with `delay`, or for the dead queue without.
#[must_use]
pub fn failed(
    properties: &BasicProperties,
    tried: RetryState,
    reason: &str,
    delay: Option<Duration>,
) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    for (name, count) in [(ATTEMPTS, tried.attempts), (WAITS, tried.waits)] {
        headers.insert(name.into(), AMQPValue::LongLongInt(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    let reason: String = reason.chars().take(REASON_MAX).collect();
    headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
    let kept = lasting(properties).with_headers(headers);
    match delay {
        // The broker takes milliseconds as text, below 2^32.
        Some(delay) => kept.with_expiration(delay.as_millis().min(u128::from(u32::MAX)).to_string().into()),
        None => kept,
    }
}

/// The properties without an expiration, which the sender may have set: a failed message must not expire.
fn lasting(properties: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default().with_delivery_mode(PERSISTENT);
    macro_rules! keep {
        ($($name:ident $with:ident),* $(,)?) => {
            $(if let Some(value) = properties.$name().clone() {
                kept = kept.$with(value);
            })*
        };
    }
    keep! {
        content_type with_content_type, content_encoding with_content_encoding, headers with_headers,
        priority with_priority, correlation_id with_correlation_id, reply_to with_reply_to,
        message_id with_message_id, timestamp with_timestamp, kind with_type, app_id with_app_id,
    }
    kept
}

/// The properties of a message that is replayed as if it were new.
#[must_use]
pub fn replayed(properties: &BasicProperties) -> BasicProperties {
    let mut kept = FieldTable::default();
    for (name, value) in properties.headers().clone().unwrap_or_default().inner() {
        if ![ATTEMPTS, WAITS, REASON, "x-death"].contains(&name.as_str()) {
            kept.insert(name.clone(), value.clone());
        }
    }
    lasting(properties).with_headers(kept)
}

/// A message as its consumer gets it. Other programs may leave out every property: the id is then derived from the
/// content, so that a duplicate is the same event.
///
/// # Errors
/// [`HandleError::Unreadable`] when the body is no JSON object.
pub fn delivery(queue: &'static Queue, properties: &BasicProperties, body: &[u8]) -> Result<Delivery, HandleError> {
    let payload: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| HandleError::Unreadable(format!("the body is no JSON: {error}")))?;
    if !payload.is_object() {
        return Err(HandleError::Unreadable("the body is no JSON object".to_owned()));
    }
    let (event, sent_at) = (event_id(queue, properties, body), sent_at(properties));
    let occurred_at = header(properties, OCCURRED_AT).and_then(|text| text.parse().ok());
    let id_within = || ["_id", "id"].iter().find_map(|key| payload.get(key)?.as_str().map(str::to_owned));
    Ok(Delivery {
        queue: queue.name,
        event,
        name: properties.kind().as_ref().map_or_else(|| queue.event.to_owned(), ToString::to_string),
        occurred_at: occurred_at.or(sent_at).unwrap_or_else(Timestamp::now),
        aggregate_id: header(properties, AGGREGATE_ID).or_else(id_within).unwrap_or_default(),
        payload,
        trace: trace(properties),
    })
}

fn sent_at(properties: &BasicProperties) -> Option<Timestamp> {
    properties.timestamp().and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok())
}

fn message_id(properties: &BasicProperties) -> Option<&str> {
    properties.message_id().as_ref().map(ShortString::as_str).filter(|id| !id.is_empty())
}

/// The id by which a message is applied once.
fn event_id(queue: &Queue, properties: &BasicProperties, body: &[u8]) -> EventId {
    let said = message_id(properties);
    let derived = || derived_id(queue.name, said.map_or(body, str::as_bytes), sent_at(properties));
    said.and_then(|id| id.parse().ok()).unwrap_or_else(derived)
}

/// A dead message as it is shown; it need not be readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its original queue, not the dead queue.
    pub queue: &'static str,
    /// The message id of its sender, otherwise the event's id.
    pub id: String,
    /// The id by which it is applied once.
    pub event: EventId,
    /// The event's name.
    pub name: String,
    /// When it happened, or was sent.
    pub occurred_at: Option<Timestamp>,
    /// How many attempts were made.
    pub attempts: usize,
    /// Why it was not handled.
    pub reason: String,
    /// The payload.
    pub body: Vec<u8>,
}

/// Describes a message of any program.
#[must_use]
pub fn dead_letter(queue: &'static Queue, properties: &BasicProperties, body: Vec<u8>) -> DeadLetter {
    let event = event_id(queue, properties, &body);
    DeadLetter {
        queue: queue.name,
        id: message_id(properties).map_or_else(|| event.to_hex(), str::to_owned),
        event,
        name: properties.kind().as_ref().map_or_else(|| queue.event.to_owned(), ToString::to_string),
        occurred_at: header(properties, OCCURRED_AT).and_then(|text| text.parse().ok()).or(sent_at(properties)),
        attempts: RetryState::of(properties).attempts,
        reason: reason(properties).unwrap_or_default(),
        body,
    }
}

/// An id derived from the content. Its time is the message's, so that its record is deleted with the events of that
/// time; without a time it is never deleted.
fn derived_id(queue: &str, content: &[u8], sent_at: Option<Timestamp>) -> EventId {
    let hash = Sha256::new().chain_update(queue).chain_update([0]).chain_update(content).finalize();
    let seconds = sent_at.and_then(|at| u32::try_from(at.as_second()).ok()).unwrap_or(u32::MAX);
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&seconds.to_be_bytes());
    bytes[4..].copy_from_slice(&hash[..8]);
    EventId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        event::Event,
        ids::{ProductId, UserId},
        queues,
    };

    fn read(properties: &BasicProperties, body: &[u8]) -> Result<Delivery, HandleError> {
        delivery(queues::queue(queues::PAYMENT_UPDATE_DASHBOARD).unwrap(), properties, body)
    }

    #[test]
    fn a_message_without_properties_gets_an_id_of_its_content() {
        let none = BasicProperties::default();
        let first = read(&none, br#"{"orderId":"1"}"#).unwrap();
        assert_eq!(first.event, read(&none, br#"{"orderId":"1"}"#).unwrap().event);
        assert_ne!(first.event, read(&none, br#"{"orderId":"2"}"#).unwrap().event);
        assert_eq!(first.name, "PAYMENT_UPDATED");
        let named = read(&none.with_message_id("not hex".into()), br#"{"orderId":"1"}"#).unwrap();
        assert_ne!(named.event, first.event);
    }

    #[test]
    fn an_event_goes_to_one_queue_by_its_name_too() {
        let (product, seller) = (ProductId::generate(), UserId::generate());
        let gone = Envelope::new(Event::ProductDeleted { product, seller }, Timestamp::UNIX_EPOCH);
        for queue in [queues::PRODUCT_DELETED_DASHBOARD, queues::EVENTS_WEBHOOK] {
            let message = for_queue(&gone, queues::queue(queue).unwrap()).unwrap().unwrap();
            assert_eq!((message.exchange, message.routing_key.as_str(), message.mandatory), ("", queue, true));
            assert_eq!(message.body, serde_json::to_vec(&exchange_payload(&gone)).unwrap());
        }
        let foreign = queues::queue(queues::ORDER_CREATED_DASHBOARD).unwrap();
        assert!(for_queue(&gone, foreign).unwrap().is_none());
        let by_name = outgoing(&gone).unwrap();
        assert!(
            by_name.iter().all(|message| message.routing_key != queues::EVENTS_WEBHOOK),
            "it is not published twice"
        );
    }

    #[test]
    fn what_is_no_json_object_is_unreadable() {
        for body in [&b"nonsense"[..], b"", b"[1]", b"\xff\xfe", b"null"] {
            assert!(matches!(read(&BasicProperties::default(), body), Err(HandleError::Unreadable(_))));
        }
    }

    #[test]
    fn a_failure_is_counted_and_a_replay_resets_the_count() {
        let tried = RetryState { attempts: 1, waits: 3 };
        let once = failed(&BasicProperties::default().with_expiration("5".into()), tried, &"x".repeat(2_000), None);
        assert_eq!((RetryState::of(&once), reason(&once).map(|r| r.len())), (tried, Some(REASON_MAX)));
        assert_eq!(*once.expiration(), None, "what failed is not dropped for its age");
        assert_eq!((RetryState::of(&replayed(&once)), reason(&replayed(&once))), (RetryState::default(), None));
    }
}
