//! Reads and replays the messages of dead queues.
//!
//! Messages are taken without being acknowledged and go back to their place when the
//! channel closes. A replay acknowledges one only when its own queue has confirmed it.
//!
//! **Invariant:** after any failure, a message is in its dead queue, in its own queue, or in both; a duplicate is
//! harmless, because it is applied once by its id.

use std::time::Duration;

use lapin::{
    Channel, Connection, ErrorKind, PublisherConfirm,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicGetOptions, ConfirmSelectOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};
use secrecy::SecretString;
use tokio::time::timeout;

use super::{
    Link, Outgoing, RabbitError, confirmed, publish_one,
    topology::dead_queue,
    wire::{self, DeadLetter},
};
use crate::domain::queues::Queue;

/// The deadline of a call to the broker.
const WITHIN: Duration = Duration::from_secs(20);
/// How many messages of one queue are held unacknowledged at most.
pub const HELD_MAX: u32 = 10_000;
/// How many messages are replayed at once.
const GROUP: usize = 64;

/// The dead queues at the broker.
pub struct DeadQueues {
    connection: Connection,
}

/// A page of dead messages.
#[derive(Debug, Default)]
pub struct DeadLetterPage {
    /// The messages, oldest first.
    pub letters: Vec<DeadLetter>,
    /// Whether some were not read.
    pub more: bool,
}

async fn within<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, RabbitError>
where
    RabbitError: From<E>,
{
    Ok(timeout(WITHIN, work).await.map_err(|_| RabbitError::Deadline)??)
}

impl DeadQueues {
    /// Connects, in one attempt.
    ///
    /// # Errors
    /// [`RabbitError::Away`] or `Deadline`.
    pub async fn connect(url: SecretString) -> Result<Self, RabbitError> {
        Ok(Self { connection: Link::new(url, "dead queues").connect_once().await? })
    }

    /// The dead messages of a queue that are `wanted`, at most `limit`. None is removed.
    pub async fn read(
        &self,
        queue: &'static Queue,
        limit: usize,
        wanted: impl Fn(&DeadLetter) -> bool,
    ) -> Result<DeadLetterPage, RabbitError> {
        let mut found = DeadLetterPage::default();
        let Some((channel, count)) = self.open(queue).await? else { return Ok(found) };
        for _ in 0..count.min(HELD_MAX) {
            if found.letters.len() == limit {
                break;
            }
            let Some(message) = take(&channel, queue).await? else { break };
            let dead_letter = wire::dead_letter(queue, &message.properties, message.data);
            if wanted(&dead_letter) {
                found.letters.push(dead_letter);
            }
        }
        found.more = found.letters.len() == limit || count > HELD_MAX;
        // Closing the channel returns all unacknowledged messages.
        within(channel.close(200, "looked".into())).await?;
        Ok(found)
    }

    /// Replays the dead messages of a queue that are `wanted`; returns how many. Those that arrive meanwhile are
    /// left, so that one that dies again at once is retried only once.
    ///
    /// # Errors
    /// [`RabbitError`]; those that were replayed by then are.
    pub async fn replay(
        &self,
        queue: &'static Queue,
        wanted: impl Fn(&DeadLetter) -> bool,
    ) -> Result<u64, RabbitError> {
        let Some((channel, mut left)) = self.open(queue).await? else { return Ok(0) };
        within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let (mut replayed, mut held) = (0, 0);
        while left > 0 && held < HELD_MAX {
            let mut group = Vec::with_capacity(GROUP);
            while left > 0 && held < HELD_MAX && group.len() < GROUP {
                left -= 1;
                let Some(message) = take(&channel, queue).await? else {
                    left = 0;
                    break;
                };
                if wanted(&wire::dead_letter(queue, &message.properties, message.data.clone())) {
                    group.push(message);
                } else {
                    held += 1;
                }
            }
            replayed += replay_group(&channel, queue, &group).await?;
        }
        within(channel.close(200, "replayed".into())).await?;
        Ok(replayed)
    }

    /// A channel, and how many messages are dead; `None` if there is no such queue.
    async fn open(&self, queue: &Queue) -> Result<Option<(Channel, u32)>, RabbitError> {
        let channel = within(self.connection.create_channel()).await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(dead_queue(queue.name).into(), passive, FieldTable::default());
        match timeout(WITHIN, asked).await.map_err(|_| RabbitError::Deadline)? {
            Ok(there) => Ok(Some((channel, there.message_count()))),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        // Unacknowledged messages go back either way.
        let _said = timeout(Duration::from_secs(2), self.connection.close(200, "bye".into())).await;
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said)
        if matches!(said.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

async fn take(channel: &Channel, queue: &Queue) -> Result<Option<Message>, RabbitError> {
    let got = within(channel.basic_get(dead_queue(queue.name).into(), BasicGetOptions::default())).await?;
    Ok(got.map(|message| message.delivery))
}

async fn replay_group(channel: &Channel, queue: &Queue, group: &[Message]) -> Result<u64, RabbitError> {
    let mut confirms: Vec<(Outgoing, PublisherConfirm)> = Vec::with_capacity(group.len());
    for message in group {
        let again = Outgoing {
            exchange: "",
            routing_key: queue.name.to_owned(),
            mandatory: true,
            body: message.data.clone(),
            properties: wire::replayed(&message.properties),
        };
        let confirm = within(publish_one(channel, &again)).await?;
        confirms.push((again, confirm));
    }
    let mut replayed = 0;
    for (message, (again, confirm)) in group.iter().zip(confirms) {
        confirmed(&again, within(confirm).await?)?;
        within(message.acker.ack(BasicAckOptions::default())).await?;
        replayed += 1;
    }
    Ok(replayed)
}
