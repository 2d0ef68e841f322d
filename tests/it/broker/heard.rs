//! What another program heard at the exchange.

use std::collections::{BTreeMap, BTreeSet};

use lapin::{message::Delivery, types::AMQPValue};
use microbazaar::domain::Timestamp;

/// An event, as its message tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub id: String,
    pub key: String,
    pub aggregate: String,
    pub occurred_at: Timestamp,
}

impl Heard {
    /// What kind of thing it happened to.
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

/// Each event where it was heard first. A crash, or a connection that broke, tells some again.
pub fn once_each(heard: &[Heard]) -> Vec<&Heard> {
    let mut known = BTreeSet::new();
    heard.iter().filter(|one| known.insert(&one.id)).collect()
}

/// Events of one aggregate came in the order in which they happened.
pub fn check_order(heard: &[&Heard]) {
    // A product and its stock have one id and are written apart.
    let mut last: BTreeMap<(&str, &str), &Heard> = BTreeMap::new();
    for one in heard {
        if let Some(before) = last.insert((&one.aggregate, one.kind()), one) {
            assert!(before.occurred_at <= one.occurred_at, "{before:?} and then {one:?}");
            assert!(!one.key.ends_with(".created") || before.key.ends_with(".initiated"), "{before:?}, then {one:?}");
        }
    }
}

/// The keys of what was heard of one aggregate, in order.
pub fn keys_of<'a>(heard: &[&'a Heard], aggregate: &str) -> Vec<&'a str> {
    heard.iter().filter(|one| one.aggregate == aggregate).map(|one| one.key.as_str()).collect()
}
