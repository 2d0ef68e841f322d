//! Publishing with confirms, many messages in flight at once.
//!
//! **Invariant:** `publish` answers `Ok` only when the broker has confirmed every message,
//! and every message that must have a queue has one.

use std::{sync::Arc, time::Duration};

use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{sync::Mutex, time::timeout};

use super::{Link, RabbitError, topology};

/// Messages that wait for their confirms at once.
const IN_FLIGHT: usize = 1_024;
/// How long a group's confirms may take.
const CONFIRM_WITHIN: Duration = Duration::from_secs(20);

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Empty for the default exchange, whose routing key is a queue's name.
    pub exchange: &'static str,
    /// Where to.
    pub routing_key: String,
    /// Whether a queue must take it.
    pub mandatory: bool,
    /// JSON.
    pub body: Vec<u8>,
    /// Everything else.
    pub properties: BasicProperties,
}

/// Publishes on a channel of its own, made again after any trouble.
pub struct Publisher {
    link: Arc<Link>,
    channel: Mutex<Option<Channel>>,
}

impl Publisher {
    /// A publisher over `link`.
    #[must_use]
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, channel: Mutex::new(None) }
    }

    /// Whether the broker is there.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Publishes in the given order and waits for every confirm. After an error some may
    /// have been taken: publish all of them again.
    ///
    /// # Errors
    /// [`RabbitError`].
    pub async fn publish(&self, messages: &[Outgoing]) -> Result<(), RabbitError> {
        let mut held = self.channel.lock().await;
        let channel = match held.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.open().await?,
        };
        for group in messages.chunks(IN_FLIGHT) {
            let sent = timeout(CONFIRM_WITHIN, publish_group(&channel, group)).await;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return self.failed(channel, error).await,
                Err(_) => return self.failed(channel, RabbitError::Deadline).await,
            }
        }
        *held = Some(channel);
        Ok(())
    }

    /// The channel is not used again: what it still has under way would be mixed up with
    /// what comes next, and a missing queue is declared with the next one.
    async fn failed(&self, channel: Channel, error: RabbitError) -> Result<(), RabbitError> {
        self.link.broke();
        let _said = timeout(Duration::from_secs(1), channel.close(200, "trouble".into())).await;
        Err(error)
    }

    async fn open(&self) -> Result<Channel, RabbitError> {
        let channel = self.link.channel().await?;
        let prepare = async {
            topology::declare_published(&channel).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, RabbitError>(())
        };
        match timeout(CONFIRM_WITHIN, prepare).await {
            Ok(Ok(())) => Ok(channel),
            Ok(Err(error)) => {
                self.link.broke();
                Err(error)
            }
            Err(_) => {
                self.link.broke();
                Err(RabbitError::Deadline)
            }
        }
    }
}

async fn publish_group(channel: &Channel, group: &[Outgoing]) -> Result<(), RabbitError> {
    let mut confirms: Vec<(&Outgoing, PublisherConfirm)> = Vec::with_capacity(group.len());
    for message in group {
        confirms.push((message, publish_one(channel, message).await?));
    }
    for (message, confirm) in confirms {
        confirmed(message, confirm.await?)?;
    }
    Ok(())
}

/// Sends one message; the confirm comes later.
pub(crate) async fn publish_one(channel: &Channel, message: &Outgoing) -> Result<PublisherConfirm, RabbitError> {
    let options = BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() };
    let (exchange, key) = (message.exchange.into(), message.routing_key.as_str().into());
    Ok(channel.basic_publish(exchange, key, options, &message.body, message.properties.clone()).await?)
}

/// What a confirm says of its message.
pub(crate) fn confirmed(message: &Outgoing, confirmation: Confirmation) -> Result<(), RabbitError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
            Err(RabbitError::Unroutable(message.routing_key.clone()))
        }
        Confirmation::Nack(None) | Confirmation::NotRequested => Err(RabbitError::Refused),
    }
}
