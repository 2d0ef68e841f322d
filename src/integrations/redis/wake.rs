//! Wake-ups: a word to every node that something is to be looked at.
//!
//! A wake-up carries no news but its topic. It may come twice, for nothing, or not at all while
//! Redis is away: whoever listens looks by itself now and then, too. After each connection every
//! listener is woken once, and when it is lost too, so that each goes over to looking by itself.
//!
//! **Invariant:** waking never waits, and what waits to be sent is at most one word a topic;
//! words are sent no more often than the keeper's pause between two.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What there is to be looked at.
pub mod topic {
    /// Products have changed.
    pub const PRODUCTS: &str = "products";
    /// Imports of products are to be worked on.
    pub const IMPORTS: &str = "imports";
    /// A user was blocked or unblocked.
    pub const BLOCKS: &str = "blocks";
    /// Stock has changed.
    pub const STOCK: &str = "stock";
    /// Events wait in the outbox.
    pub const OUTBOX: &str = "outbox";
    /// Mails wait to be sent.
    pub const MAILS: &str = "mails";
    /// Deliveries to webhooks wait.
    pub const WEBHOOKS: &str = "webhooks";
    /// Pictures wait to be brought to their host, or deleted there.
    pub const PICTURES: &str = "pictures";
}

/// Wakes listeners on this node at once, and on the others by Redis.
#[derive(Clone)]
pub struct Wake {
    topics: Arc<Topics>,
    /// How often to look while wake-ups come.
    look_every: Duration,
}

impl Default for Wake {
    /// For a node that is alone: wakes its own listeners.
    fn default() -> Self {
        Self::new(Arc::new(Topics::new(String::new())))
    }
}

impl Wake {
    pub(super) const fn new(topics: Arc<Topics>) -> Self {
        Self { topics, look_every: Duration::ZERO }
    }

    /// The same, whose listeners look by themselves that often at least while Redis is there.
    #[must_use]
    pub fn looking_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    /// How long a listener that looks every `own` by itself waits for a wake-up: longer while
    /// wake-ups come.
    #[must_use]
    pub fn look_every(&self, own: Duration) -> Duration {
        if self.topics.connected.load(Ordering::Acquire) { own.max(self.look_every) } else { own }
    }

    /// Wakes whoever listens to this topic, on every node.
    pub fn wake(&self, topic: &'static str) {
        self.topics.wake(topic);
        self.wake_others(topic);
    }

    /// Wakes whoever listens to this topic on the other nodes; this one knows already.
    pub fn wake_others(&self, topic: &'static str) {
        // One that waits to be sent is enough.
        if !self.topics.channel.is_empty() && self.topics.outgoing.lock().insert(topic) {
            self.topics.ready.notify_one();
        }
    }

    /// A listener to a topic, for one task. Wake-ups that come while it is busy are one.
    #[must_use]
    pub fn listen(&self, topic: &'static str) -> Arc<Notify> {
        let listener = Arc::new(Notify::new());
        let mut topics = self.topics.listeners.lock();
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
    /// Whether words of other nodes come.
    connected: AtomicBool,
}

impl Topics {
    pub(super) fn new(channel: String) -> Self {
        let node = hex::encode(rand::random::<[u8; 8]>());
        let (listeners, outgoing) = (Mutex::default(), Mutex::default());
        Self { channel, node, listeners, outgoing, ready: Notify::new(), connected: AtomicBool::new(false) }
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

    /// Words of other nodes come from now on, or no more. What was said in between was not heard,
    /// and who waits longer than without them waits no more.
    pub(super) fn connected(&self, is: bool) {
        self.connected.store(is, Ordering::Release);
        self.wake_all();
    }

    fn wake_all(&self) {
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
        let often = wake.looking_every(Duration::from_secs(9));
        assert_eq!(often.look_every(Duration::from_secs(1)), Duration::from_secs(1));
        for connected in [true, false] {
            topics.connected(connected);
            assert!(woken(&mail) && woken(&other));
            let longer = Duration::from_secs(if connected { 9 } else { 1 });
            assert_eq!(often.look_every(Duration::from_secs(1)), longer);
        }
        assert_eq!(often.look_every(Duration::from_secs(10)), Duration::from_secs(10));
        often.wake_others("mail");
        assert!(!woken(&mail) && topics.outgoing().len() == 1);
    }

    #[test]
    fn a_node_that_is_alone_keeps_nothing_to_send() {
        let wake = Wake::default();
        let listener = wake.listen("mail");
        wake.wake("mail");
        assert!(woken(&listener) && wake.topics.outgoing().is_empty());
    }
}
