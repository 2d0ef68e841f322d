//! The broker as another program sees it.

mod received;
mod vhost;

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    message::BasicGetMessage,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
        QueueDeleteOptions, QueuePurgeOptions,
    },
    types::FieldTable,
};
use microbazaar::{
    bus::rabbit::topology::{self, RETRIES, dead_queue, retry_queue},
    domain::{
        ids::EventId,
        queues::{EXCHANGE, QUEUES},
    },
};

pub use received::{ReceivedEvent, check_order, keys_of, once_each};
pub use vhost::Vhost;

use crate::{eventually_some, servers};

/// A connection for the test, and the exclusive use of the broker.
pub struct Broker {
    pub url: String,
    pub channel: Channel,
    _connection: Connection,
    _turn: servers::Turn,
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

async fn connect(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

impl Broker {
    /// The broker with empty queues, once it is free; prints a note and returns `None` where there is none.
    pub async fn empty() -> Option<Self> {
        let url = servers::rabbit()?;
        let exclusive = servers::Turn::at(&url).await;
        let (connection, channel) = connect(&url).await.unwrap();
        let broker = Self { url, channel, _connection: connection, _turn: exclusive };
        for queue in QUEUES {
            // Without arguments, like any program: the declaration succeeds, whoever declares first.
            broker.channel.queue_declare(queue.name.into(), durable(), FieldTable::default()).await.unwrap();
            topology::declare_read(&broker.channel, queue.name).await.unwrap();
            let waiting = (1..=RETRIES).map(|attempt| retry_queue(queue.name, attempt));
            for name in waiting.chain([queue.name.to_owned(), dead_queue(queue.name)]) {
                broker.purge(&name).await;
            }
        }
        Some(broker)
    }

    async fn purge(&self, queue: &str) {
        self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
    }

    /// Reconnects, once the broker is available again.
    pub async fn reconnect(&mut self) {
        let connected = eventually_some("the broker is there again", async || connect(&self.url).await.ok()).await;
        (self._connection, self.channel) = connected;
    }

    /// A second connection to the same broker, as another program.
    pub async fn another(&self) -> (Connection, Channel) {
        connect(&self.url).await.unwrap()
    }

    /// Runs `rabbitmqctl`; `None` where it is not configured.
    pub async fn ctl(arguments: &str) -> Option<String> {
        let command = format!("{} {arguments}", servers::rabbitmqctl()?);
        let run = move || std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let done = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(done.status.success(), "{arguments}: {done:?}");
        Some(String::from_utf8(done.stdout).unwrap())
    }

    /// A new durable queue that gets every event of the exchange.
    pub async fn bind_all(&self) -> String {
        let name = format!("test.{}", EventId::generate());
        self.declare_exchange().await;
        self.channel.queue_declare(name.as_str().into(), durable(), FieldTable::default()).await.unwrap();
        self.bind(&name, "#").await;
        name
    }

    /// The messages of a queue of [`Broker::bind_all`], which is deleted then.
    pub async fn drain(&self, queue: &str) -> Vec<ReceivedEvent> {
        let mut received = vec![];
        while let Some(message) = self.take(queue).await {
            received.push(ReceivedEvent::of(&message.delivery));
        }
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
        received
    }

    /// Asserts that there are no dead letters.
    pub async fn nothing_is_dead(&self) {
        for queue in QUEUES {
            assert_eq!(self.count(&dead_queue(queue.name)).await, 0, "{} has dead messages", queue.name);
        }
    }

    /// A new queue that gets the events of one key.
    pub async fn listen_to(&self, key: &str) -> String {
        self.declare_exchange().await;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let name = queue.name().to_string();
        self.bind(&name, key).await;
        name
    }

    async fn declare_exchange(&self) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared =
            self.channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default());
        declared.await.unwrap();
    }

    async fn bind(&self, queue: &str, key: &str) {
        let (exchange, options) = (EXCHANGE.into(), QueueBindOptions::default());
        self.channel.queue_bind(queue.into(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
    }

    pub async fn take(&self, queue: &str) -> Option<BasicGetMessage> {
        self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()
    }

    /// Waits for the next dead letter of a queue.
    pub async fn until_dead(&self, queue: &str) -> BasicGetMessage {
        eventually_some(&format!("a dead message of {queue}"), async || self.take(&dead_queue(queue)).await).await
    }

    pub async fn put(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        self.channel.basic_publish("".into(), queue.into(), options, body, properties).await.unwrap().await.unwrap();
    }

    /// Deletes a queue.
    pub async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// How many messages are in a declared queue, however it was declared.
    pub async fn waiting_in(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap().message_count()
    }

    /// How many messages are in a queue.
    pub async fn count(&self, queue: &str) -> u32 {
        self.channel.queue_declare(queue.into(), durable(), FieldTable::default()).await.unwrap().message_count()
    }
}
