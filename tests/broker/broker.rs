//! The broker, as another program sees it.

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    message::BasicGetMessage,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
        QueueDeleteOptions, QueuePurgeOptions,
    },
    types::FieldTable,
};
use microbazaar::bus::{
    rabbit::topology::dead_queue,
    table::{EXCHANGE, QUEUES},
};

use crate::DEADLINE;

/// A connection of our own.
pub struct Broker {
    pub url: String,
    channel: Channel,
    _connection: Connection,
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

impl Broker {
    /// The broker with empty queues; `None`, and a word about it, where there is none.
    pub async fn empty() -> Option<Self> {
        let Ok(url) = std::env::var("TEST_RABBIT_URL") else {
            eprintln!("left out: TEST_RABBIT_URL names no broker");
            return None;
        };
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let broker = Self { url, channel, _connection: connection };
        for queue in QUEUES {
            // Plainly, as any program would: it is not refused, whoever declares first.
            broker.channel.queue_declare(queue.name.into(), durable(), FieldTable::default()).await.unwrap();
            broker.purge(queue.name).await;
            let dead = dead_queue(queue.name);
            broker.channel.queue_declare(dead.as_str().into(), durable(), FieldTable::default()).await.unwrap();
            broker.purge(&dead).await;
        }
        Some(broker)
    }

    async fn purge(&self, queue: &str) {
        self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
    }

    /// A new queue that gets every event of the exchange.
    pub async fn listen_to_all(&self) -> String {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        self.channel
            .exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default())
            .await
            .unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let name = queue.name().to_string();
        let (queue, exchange) = (name.as_str().into(), EXCHANGE.into());
        self.channel
            .queue_bind(queue, exchange, "#".into(), QueueBindOptions::default(), FieldTable::default())
            .await
            .unwrap();
        name
    }

    pub async fn take(&self, queue: &str) -> Option<BasicGetMessage> {
        self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()
    }

    /// The next dead message of a queue, when it is there.
    pub async fn until_dead(&self, queue: &str) -> BasicGetMessage {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(message) = self.take(&dead_queue(queue)).await {
                return message;
            }
            assert!(tokio::time::Instant::now() < deadline, "in time: a dead message of {queue}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn put(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        self.channel.basic_publish("".into(), queue.into(), options, body, properties).await.unwrap().await.unwrap();
    }

    /// Takes a queue away.
    pub async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// How many messages wait in a queue that somebody has declared, however it did.
    pub async fn waiting_in(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
    }

    /// How many messages wait in a queue.
    pub async fn count(&self, queue: &str) -> u32 {
        self.channel.queue_declare(queue.into(), durable(), FieldTable::default()).await.unwrap().message_count()
    }
}
