//! The API suite on MongoDB, RabbitMQ and Redis, if `scripts/test` provides them.
//!
//! Each [`TestApp`](super::TestApp) has its own databases and Redis keys by prefix. Queues have no prefix, so that
//! each app has its own vhost: one of those in `TEST_API_RABBIT_URLS`, which it takes, empties and returns.
//!
//! **Invariant:** no two running shops share a vhost.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    bus::rabbit::topology::{self, RETRIES, dead_queue, retry_queue},
    config::Config,
    domain::{
        ids::{EventId, UserId},
        queues::QUEUES,
    },
};
use parking_lot::Mutex;
use secrecy::SecretString;

/// How long a test may wait for a free vhost, and for its messages.
const WITHIN: Duration = Duration::from_secs(60);

/// The free vhosts; `None` before the first use.
static FREE: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// A vhost that one shop uses exclusively.
pub struct Vhost {
    url: String,
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // After a failure a process may still read from it.
        if !std::thread::panicking() {
            FREE.lock().get_or_insert_default().push(self.url.clone());
        }
    }
}

/// Configures the shop to use the provided servers; returns its vhost, if it has one.
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

/// Configures the shop to use none of them.
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

/// A queue with its retry and dead-letter queues.
fn with_failures(queue: &str) -> impl Iterator<Item = String> {
    (1..=RETRIES).map(|attempt| retry_queue(queue, attempt)).chain([queue.to_owned(), dead_queue(queue)])
}

impl Vhost {
    async fn connect(&self) -> (Connection, Channel) {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Declares every queue and empties it.
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

    /// Waits until every message that is in a queue now has been handled: an invalid message behind it has become a
    /// dead letter then.
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
        // The database was late: the messages come again, and are waited for with another mark.
        assert!(started.elapsed() < WITHIN, "what was put aside of {queue} is handled in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the messages that are in a queue now have been read.
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
