//! The bare publisher: only lapin with a durable queue and confirms.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lapin::{
    Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions},
    types::FieldTable,
};
use microbazaar::{
    bus::rabbit::{Outgoing, topology},
    domain::queues::QUEUES,
};

/// The bare publisher's own queue.
const QUEUE: &str = "microbazaar.bench";

/// A connection to the broker.
pub struct Broker {
    channel: Channel,
    _connection: Connection,
}

impl Broker {
    /// Connects, and declares what the server publishes to.
    ///
    /// # Errors
    ///
    /// When the broker is unavailable.
    pub async fn connect(url: &str) -> Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        topology::declare_published(&channel).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, _connection: connection })
    }

    /// Empties every queue.
    ///
    /// # Errors
    ///
    /// When the broker is unavailable.
    pub async fn purge(&self) -> Result<()> {
        for queue in QUEUES {
            self.channel.queue_purge(queue.name.into(), QueuePurgeOptions::default()).await?;
        }
        Ok(())
    }

    /// Publishes these bodies to one queue, `window` of them in flight, and returns the time until the last was
    /// confirmed.
    ///
    /// # Errors
    ///
    /// When a message is not confirmed.
    pub async fn publish(&self, messages: &[&Outgoing], window: usize) -> Result<Duration> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;
        let began = Instant::now();
        let mut flying: VecDeque<PublisherConfirm> = VecDeque::with_capacity(window);
        for message in messages {
            if flying.len() == window
                && let Some(oldest) = flying.pop_front()
            {
                taken(&oldest.await?)?;
            }
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = message.properties.clone();
            flying.push_back(
                self.channel.basic_publish("".into(), QUEUE.into(), options, &message.body, properties).await?,
            );
        }
        for confirm in flying {
            taken(&confirm.await?)?;
        }
        let took = began.elapsed();
        self.channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
        Ok(took)
    }
}

fn taken(confirmation: &Confirmation) -> Result<()> {
    ensure!(matches!(confirmation, Confirmation::Ack(None)), "the broker did not take a message");
    Ok(())
}
