//! Notifications that tell every node that something has changed.
//!
//! A notification carries only its topic. It may arrive twice, without reason, or not at all while Redis is
//! unavailable, so every listener also polls. All listeners are notified once when the connection is made and once
//! when it is lost, so that they switch to polling.
//!
//! **Invariant:** notifying never waits; at most one notification for each topic is queued, and they are published no
//! more often than `WAKE_PAUSE` allows.

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

/// The topics of notifications.
pub mod topic {
    /// Products have changed.
    pub const PRODUCTS: &str = "products";
    /// Product imports are waiting.
    pub const IMPORTS: &str = "imports";
    /// A user was blocked or unblocked.
    pub const BLOCKS: &str = "blocks";
    /// Stock has changed.
    pub const STOCK: &str = "stock";
    /// Events wait in the outbox.
    pub const OUTBOX: &str = "outbox";
    /// Mails are waiting to be sent.
    pub const MAILS: &str = "mails";
    /// Webhook deliveries are waiting.
    pub const WEBHOOKS: &str = "webhooks";
    /// Pictures are waiting to be uploaded to their host or deleted there.
    pub const PICTURES: &str = "pictures";
}

/// Notifies listeners on this node directly and on the other nodes through Redis.
#[derive(Clone)]
pub struct ChangeNotifier {
    topics: Arc<Topics>,
    /// How often listeners poll while Redis delivers notifications.
    look_every: Duration,
}

impl Default for ChangeNotifier {
    /// For a single node: notifies only its own listeners.
    fn default() -> Self {
        Self::new(Arc::new(Topics::new(String::new())))
    }
}

impl ChangeNotifier {
    pub(super) const fn new(topics: Arc<Topics>) -> Self {
        Self { topics, look_every: Duration::ZERO }
    }

    /// The same, with the interval at which listeners poll while Redis is available.
    #[must_use]
    pub fn looking_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    /// How long a listener that polls every `own` waits for a notification: longer while Redis delivers them.
    #[must_use]
    pub fn look_every(&self, own: Duration) -> Duration {
        if self.topics.connected.load(Ordering::Acquire) { own.max(self.look_every) } else { own }
    }

    /// Notifies the listeners of this topic on every node.
    pub fn notify(&self, topic: &'static str) {
        self.topics.notify(topic);
        self.notify_others(topic);
    }

    /// Notifies the listeners of this topic on the other nodes only.
    pub fn notify_others(&self, topic: &'static str) {
        // One queued notification for each topic is enough.
        if !self.topics.channel.is_empty() && self.topics.outgoing.lock().insert(topic) {
            self.topics.ready.notify_one();
        }
    }

    /// A listener to a topic, for one task. Notifications that arrive while it is busy count as one.
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

/// Listeners by topic, and the topics to publish to other nodes.
pub(super) struct Topics {
    channel: String,
    /// Identifies this node's own messages.
    node: String,
    listeners: Mutex<HashMap<&'static str, Vec<Weak<Notify>>>>,
    outgoing: Mutex<BTreeSet<&'static str>>,
    ready: Notify,
    /// Whether messages from other nodes arrive.
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

    /// Handles a message of the channel.
    pub(super) fn received(&self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        if let Some((node, topic)) = text.split_once(' ')
            && node != self.node
        {
            self.notify(topic);
        }
    }

    fn notify(&self, topic: &str) {
        if let Some(listeners) = self.listeners.lock().get(topic) {
            listeners.iter().filter_map(Weak::upgrade).for_each(|listener| listener.notify_one());
        }
    }

    /// Records whether messages from other nodes arrive, and notifies every listener: messages may have been missed,
    /// and the polling interval changes.
    pub(super) fn connected(&self, is: bool) {
        self.connected.store(is, Ordering::Release);
        self.notify_all();
    }

    fn notify_all(&self) {
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

    fn notified(listener: &Notify) -> bool {
        listener.notified().now_or_never().is_some()
    }

    #[test]
    fn a_word_of_another_node_wakes_its_topic_and_our_own_comes_once() {
        let topics = Arc::new(Topics::new("wake".to_owned()));
        let notify = ChangeNotifier::new(Arc::clone(&topics));
        let (mail, other) = (notify.listen("mail"), notify.listen("outbox"));
        topics.received(b"another mail");
        assert!(notified(&mail) && !notified(&mail) && !notified(&other));
        notify.notify("mail");
        notify.notify("mail");
        assert!(notified(&mail) && !notified(&mail), "wake-ups meanwhile are one");
        topics.received(topics.payload("mail").as_bytes());
        topics.received(b"\xff nonsense");
        topics.received(b"another nobody-listens");
        assert!(!notified(&mail), "what we said ourselves is no news");
        assert_eq!(topics.outgoing().len(), 1, "one word a topic");
        let often = notify.looking_every(Duration::from_secs(9));
        assert_eq!(often.look_every(Duration::from_secs(1)), Duration::from_secs(1));
        for connected in [true, false] {
            topics.connected(connected);
            assert!(notified(&mail) && notified(&other));
            let longer = Duration::from_secs(if connected { 9 } else { 1 });
            assert_eq!(often.look_every(Duration::from_secs(1)), longer);
        }
        assert_eq!(often.look_every(Duration::from_secs(10)), Duration::from_secs(10));
        often.notify_others("mail");
        assert!(!notified(&mail) && topics.outgoing().len() == 1);
    }

    #[test]
    fn a_node_that_is_alone_keeps_nothing_to_send() {
        let notify = ChangeNotifier::default();
        let listener = notify.listen("mail");
        notify.notify("mail");
        assert!(notified(&listener) && notify.topics.outgoing().is_empty());
    }
}
