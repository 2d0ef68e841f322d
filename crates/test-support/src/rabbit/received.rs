//! What another program received from the exchange.

use std::collections::{BTreeMap, BTreeSet};

use lapin::{message::Delivery, types::AMQPValue};
use microbazaar::domain::Timestamp;

/// An event, as in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    pub id: String,
    pub key: String,
    pub aggregate: String,
    pub occurred_at: Timestamp,
}

impl ReceivedEvent {
    /// The kind of its aggregate.
    fn kind(&self) -> &str {
        self.key.split('.').next().unwrap()
    }

    pub fn of(message: &Delivery) -> Self {
        let header = |name: &str| match message.properties.headers().as_ref().unwrap().inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => panic!("the header {name}: {other:?}"),
        };
        Self {
            id: message.properties.message_id().as_ref().unwrap().to_string(),
            key: message.routing_key.to_string(),
            aggregate: header("x-aggregate-id"),
            occurred_at: header("x-occurred-at").parse().unwrap(),
        }
    }
}

/// Each event at its first delivery. After a crash or a broken connection some are delivered again.
pub fn once_each(received: &[ReceivedEvent]) -> Vec<&ReceivedEvent> {
    let mut known = BTreeSet::new();
    received.iter().filter(|one| known.insert(&one.id)).collect()
}

/// Checks that events of one aggregate came in the order in which they occurred.
pub fn check_order(received: &[&ReceivedEvent]) {
    // A product and its stock have the same id and are written separately.
    let mut last: BTreeMap<(&str, &str), &ReceivedEvent> = BTreeMap::new();
    for one in received {
        if let Some(before) = last.insert((&one.aggregate, one.kind()), one) {
            assert!(before.occurred_at <= one.occurred_at, "{before:?} and then {one:?}");
            assert!(!one.key.ends_with(".created") || before.key.ends_with(".initiated"), "{before:?}, then {one:?}");
        }
    }
}

/// The routing keys of one aggregate's events, in order.
pub fn keys_of<'a>(received: &[&'a ReceivedEvent], aggregate: &str) -> Vec<&'a str> {
    received.iter().filter(|one| one.aggregate == aggregate).map(|one| one.key.as_str()).collect()
}
