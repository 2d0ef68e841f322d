//! Wake-ups: a word to every node that something is to be looked at.
//!
//! A wake-up carries no news but its topic. It may come twice, for nothing, or not at all while
//! Redis is away: whoever listens looks by itself now and then, too. After each connection every
//! listener is woken once.
//!
//! **Invariant:** waking never waits, and what waits to be sent is at most one word a topic.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Wakes listeners on this node at once, and on the others by Redis.
#[derive(Clone)]
pub struct Wake(Arc<Topics>);

impl Default for Wake {
    /// For a node that is alone: wakes its own listeners.
    fn default() -> Self {
        Self(Arc::new(Topics::new(String::new())))
    }
}

impl Wake {
    pub(super) fn new(topics: Arc<Topics>) -> Self {
        Self(topics)
    }

    /// Wakes whoever listens to this topic, on every node.
    pub fn wake(&self, topic: &'static str) {
        self.0.wake(topic);
        if !self.0.channel.is_empty() {
            self.0.outgoing.lock().insert(topic);
            self.0.ready.notify_one();
        }
    }

    /// A listener to a topic, for one task. Wake-ups that come while it is busy are one.
    #[must_use]
    pub fn listen(&self, topic: &'static str) -> Arc<Notify> {
        let listener = Arc::new(Notify::new());
        let mut topics = self.0.listeners.lock();
        let listeners = topics.entry(topic).or_default();
        listeners.retain(|other| other.strong_count() > 0);
        listeners.push(Arc::downgrade(&listener));
        listener
    }
}

/// Listeners by topic, and the topics that other nodes are to be told of.
pub(super) struct Topics {
    channel: String,
    /// Tells our own words from those of others.
    node: String,
    listeners: Mutex<HashMap<&'static str, Vec<Weak<Notify>>>>,
    outgoing: Mutex<BTreeSet<&'static str>>,
    ready: Notify,
}

impl Topics {
    pub(super) fn new(channel: String) -> Self {
        let node = hex::encode(rand::random::<[u8; 8]>());
        let (listeners, outgoing) = (Mutex::default(), Mutex::default());
        Self { channel, node, listeners, outgoing, ready: Notify::new() }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    pub(super) fn payload(&self, topic: &str) -> String {
        format!("{} {topic}", self.node)
    }

    /// A message of the channel.
    pub(super) fn heard(&self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        if let Some((node, topic)) = text.split_once(' ')
            && node != self.node
        {
            self.wake(topic);
        }
    }

    fn wake(&self, topic: &str) {
        if let Some(listeners) = self.listeners.lock().get(topic) {
            listeners.iter().filter_map(Weak::upgrade).for_each(|listener| listener.notify_one());
        }
    }

    pub(super) fn wake_all(&self) {
        let topics = self.listeners.lock();
        topics.values().flatten().filter_map(Weak::upgrade).for_each(|listener| listener.notify_one());
    }

    /// Waits until there may be something to send.
    pub(super) async fn waiting(&self) {
        if self.outgoing.lock().is_empty() {
            self.ready.notified().await;
        }
    }

    pub(super) fn outgoing(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut *self.outgoing.lock())
    }

    pub(super) fn put_back(&self, topics: BTreeSet<&'static str>) {
        self.outgoing.lock().extend(topics);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn woken(listener: &Notify) -> bool {
        listener.notified().now_or_never().is_some()
    }

    #[test]
    fn a_word_of_another_node_wakes_its_topic_and_our_own_comes_once() {
        let topics = Arc::new(Topics::new("wake".to_owned()));
        let wake = Wake::new(Arc::clone(&topics));
        let (mail, other) = (wake.listen("mail"), wake.listen("outbox"));
        topics.heard(b"another mail");
        assert!(woken(&mail) && !woken(&mail) && !woken(&other));
        wake.wake("mail");
        wake.wake("mail");
        assert!(woken(&mail) && !woken(&mail), "wake-ups meanwhile are one");
        topics.heard(topics.payload("mail").as_bytes());
        topics.heard(b"\xff nonsense");
        topics.heard(b"another nobody-listens");
        assert!(!woken(&mail), "what we said ourselves is no news");
        assert_eq!(topics.outgoing().len(), 1, "one word a topic");
        topics.wake_all();
        assert!(woken(&mail) && woken(&other));
    }

    #[test]
    fn a_node_that_is_alone_keeps_nothing_to_send() {
        let wake = Wake::default();
        let listener = wake.listen("mail");
        wake.wake("mail");
        assert!(woken(&listener) && wake.0.outgoing().is_empty());
    }
}
