//! The suite on MongoDB, RabbitMQ and Redis, where `scripts/test` names them for it.
//!
//! Each [`TestApp`](super::TestApp) has databases and Redis keys of its own by their prefix. Queues have no
//! prefix, so each has a vhost of its own: one of those in `TEST_API_RABBIT_URLS`, which it takes,
//! empties and gives back.
//!
//! **Invariant:** no two shops that run at once share a vhost.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    bus::{
        rabbit::topology::{self, RETRIES, dead_queue, retry_queue},
        table::QUEUES,
    },
    config::Config,
    domain::ids::{EventId, UserId},
};
use parking_lot::Mutex;
use secrecy::SecretString;

/// How long a test may wait for others to be done with their vhosts, and for its messages.
const WITHIN: Duration = Duration::from_secs(60);

/// The vhosts that nobody has now; `None` before the first look.
static FREE: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// A vhost that one shop has for itself.
pub struct Vhost {
    url: String,
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // After a failure somebody may still read there.
        if !std::thread::panicking() {
            FREE.lock().get_or_insert_default().push(self.url.clone());
        }
    }
}

/// Has the shop use the servers that are named; returns its vhost, if it has one.
pub async fn of_their_own(config: &mut Config) -> Option<Vhost> {
    let named = |name| std::env::var(name).ok();
    if let Some(uri) = named("TEST_API_MONGO_URI") {
        config.mongo.uri = Some(SecretString::from(uri));
        config.mongo.database_prefix = format!("api_{}_", UserId::generate());
    }
    if let Some(url) = named("TEST_API_REDIS_URL") {
        config.redis.url = Some(SecretString::from(url));
        config.redis.prefix = format!("api:{}:", UserId::generate());
    }
    let vhost = take(&named("TEST_API_RABBIT_URLS")?).await;
    vhost.empty().await;
    config.rabbit.url = Some(SecretString::from(vhost.url.clone()));
    Some(vhost)
}

/// Has the shop use none of them.
pub fn embedded(config: &mut Config) {
    (config.mongo.uri, config.rabbit.url, config.redis.url) = (None, None, None);
}

async fn take(all: &str) -> Vhost {
    let started = Instant::now();
    loop {
        let fresh = || all.split_whitespace().map(str::to_owned).collect();
        let free = FREE.lock().get_or_insert_with(fresh).pop();
        if let Some(url) = free {
            return Vhost { url };
        }
        assert!(started.elapsed() < WITHIN, "a vhost is free in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A queue with where its failures go.
fn with_failures(queue: &str) -> impl Iterator<Item = String> {
    (1..=RETRIES).map(|attempt| retry_queue(queue, attempt)).chain([queue.to_owned(), dead_queue(queue)])
}

impl Vhost {
    async fn connect(&self) -> (Connection, Channel) {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Declares every queue and takes out what an earlier shop left.
    async fn empty(&self) {
        let (_connection, channel) = self.connect().await;
        let emptied = QUEUES.iter().map(async |queue| {
            topology::declare_read(&channel, queue.name).await.unwrap();
            for name in with_failures(queue.name) {
                channel.queue_purge(name.into(), QueuePurgeOptions::default()).await.unwrap();
            }
        });
        join_all(emptied).await;
    }

    /// Waits until every message that is in a queue now has been handled: what is put behind it
    /// and cannot be read is dead then.
    pub async fn settle(&self) {
        let (_connection, channel) = self.connect().await;
        join_all(QUEUES.iter().map(|queue| settle(&channel, queue.name))).await;
    }
}

async fn settle(channel: &Channel, queue: &str) {
    let started = Instant::now();
    loop {
        until_marked(channel, queue, started).await;
        let mut waits = 0;
        for name in (1..=RETRIES).map(|attempt| retry_queue(queue, attempt)) {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let there = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.unwrap();
            waits += there.message_count();
        }
        if waits == 0 {
            return;
        }
        // The database was late: they come again, and are waited for behind another mark.
        assert!(started.elapsed() < WITHIN, "what was put aside of {queue} is handled in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until what is in a queue now has been looked at.
async fn until_marked(channel: &Channel, queue: &str, started: Instant) {
    let mark = EventId::generate().to_hex();
    let (options, last) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), queue.into(), options, mark.as_bytes(), last).await.unwrap();
    loop {
        let (dead, taken) = (dead_queue(queue), BasicGetOptions { no_ack: true });
        if let Some(message) = channel.basic_get(dead.into(), taken).await.unwrap() {
            let said = String::from_utf8_lossy(&message.delivery.data);
            assert_eq!(said, mark, "a message of {queue} is dead");
            return;
        }
        assert!(started.elapsed() < WITHIN, "what is in {queue} is handled in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
