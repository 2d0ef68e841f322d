//! A vhost for each shop of the tests of the API: queues have no prefix. They are those of `TEST_API_RABBIT_URLS`.
//!
//! **Invariant:** no two running shops share a vhost.

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    bus::rabbit::topology::{self, RETRIES, dead_queue, retry_queue},
    domain::{ids::EventId, queues::QUEUES},
};

use crate::{eventually, eventually_some, servers::Turn};

/// A vhost that one shop uses exclusively.
#[derive(Debug)]
pub struct Vhost {
    url: String,
    turn: Option<Turn>,
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // After a failure a process may still read there, as long as this process lives.
        if std::thread::panicking() {
            std::mem::forget(self.turn.take());
        }
    }
}

impl Vhost {
    /// One of these, separated by spaces, once nobody else has it.
    pub async fn free(urls: &str) -> Self {
        let free = || urls.split_whitespace().find_map(|url| Some((url.to_owned(), Turn::now_at(url)?)));
        let (url, turn) = eventually_some("a vhost is free", async || free()).await;
        let vhost = Self { url, turn: Some(turn) };
        vhost.empty().await;
        vhost
    }

    pub fn url(&self) -> &str {
        &self.url
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
    let settled = async || {
        until_marked(channel, queue).await;
        let mut waits = 0;
        for name in (1..=RETRIES).map(|attempt| retry_queue(queue, attempt)) {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let there = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.unwrap();
            waits += there.message_count();
        }
        // If the database was late the messages come again, and are waited for with another mark.
        waits == 0
    };
    eventually(&format!("what was put aside of {queue} is handled"), settled).await;
}

/// Waits until the messages that are in a queue now have been read.
async fn until_marked(channel: &Channel, queue: &str) {
    let mark = EventId::generate().to_hex();
    let (options, last) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), queue.into(), options, mark.as_bytes(), last).await.unwrap();
    let dead = async || {
        let taken = BasicGetOptions { no_ack: true };
        channel.basic_get(dead_queue(queue).into(), taken).await.unwrap()
    };
    let message = eventually_some(&format!("what is in {queue} is handled"), dead).await;
    assert_eq!(String::from_utf8_lossy(&message.delivery.data), mark, "a message of {queue} is dead");
}
