//! Publishing with confirms, many messages in flight at once.
//!
//! Sending and waiting for confirms are two steps, so that the next messages can be sent while confirms are
//! outstanding.
//!
//! **Invariant:** [`Confirms::all`] answers `Ok` only when the broker has confirmed every
//! message, and every message that must have a queue has one. Messages are sent in the
//! order of the calls.

use std::{sync::Arc, time::Duration};

use futures_util::{future::maybe_done, poll};

use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{sync::Mutex, time::timeout};

use super::{Link, RabbitError, topology};

/// How many messages are passed to the connection at once: it writes them together.
const TOGETHER: usize = 64;
/// How long sending, and how long a call's confirms may take.
const CONFIRM_WITHIN: Duration = Duration::from_secs(20);

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Empty for the default exchange, whose routing key is a queue's name.
    pub exchange: &'static str,
    /// The destination.
    pub routing_key: String,
    /// Whether a queue must take it.
    pub mandatory: bool,
    /// JSON.
    pub body: Vec<u8>,
    /// Everything else.
    pub properties: BasicProperties,
}

/// Publishes on its own channel, which is opened again after any failure.
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

    /// Whether the broker is reachable.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Opens a channel if there is none, so that [`Publisher::is_up`] is correct even if nothing is published.
    pub async fn keep(&self) -> Result<(), RabbitError> {
        let mut held = self.channel.lock().await;
        if !held.as_ref().is_some_and(|channel| channel.status().connected()) {
            *held = None;
            *held = Some(self.open().await?);
        }
        Ok(())
    }

    /// Sends messages in the given order; their confirms come later.
    ///
    /// # Errors
    /// [`RabbitError`]; some may have been taken then: send all of them again.
    pub async fn send(&self, messages: &[Outgoing]) -> Result<Confirms, RabbitError> {
        // Taken while it is used, so that a cancelled call leaves no channel behind.
        let mut held = self.channel.lock().await;
        let channel = match held.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.open().await?,
        };
        let mut confirms = Confirms {
            channel: channel.clone(),
            link: Arc::clone(&self.link),
            awaited: Vec::with_capacity(messages.len()),
        };
        let sent = timeout(CONFIRM_WITHIN, send_all(&channel, messages, &mut confirms.awaited)).await;
        if let Err(error) = sent.unwrap_or(Err(RabbitError::Deadline)) {
            confirms.give_up().await;
            return Err(error);
        }
        *held = Some(channel);
        Ok(confirms)
    }

    /// Sends messages and waits for every confirm.
    ///
    /// # Errors
    /// As [`Publisher::send`].
    pub async fn publish(&self, messages: &[Outgoing]) -> Result<(), RabbitError> {
        self.send(messages).await?.all().await
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

/// Outstanding confirms.
pub struct Confirms {
    channel: Channel,
    link: Arc<Link>,
    awaited: Vec<Awaited>,
}

/// A message's routing key with its confirm.
type Awaited = (String, PublisherConfirm);

impl Confirms {
    /// Waits for every confirm.
    ///
    /// # Errors
    /// [`RabbitError`]; some may have been taken then: send all of them again.
    pub async fn all(mut self) -> Result<(), RabbitError> {
        let awaited = std::mem::take(&mut self.awaited);
        let all = async {
            for (routing_key, confirm) in awaited {
                taken(&routing_key, confirm.await?)?;
            }
            Ok(())
        };
        let outcome = timeout(CONFIRM_WITHIN, all).await.unwrap_or(Err(RabbitError::Deadline));
        if outcome.is_err() {
            self.give_up().await;
        }
        outcome
    }

    /// The channel is not used again: its outstanding messages would be confused with later ones, and a missing queue
    /// is declared with the next channel.
    async fn give_up(&self) {
        self.link.broke();
        let _said = timeout(Duration::from_secs(1), self.channel.close(200, "trouble".into())).await;
    }
}

async fn send_all(channel: &Channel, messages: &[Outgoing], awaited: &mut Vec<Awaited>) -> Result<(), RabbitError> {
    for group in messages.chunks(TOGETHER) {
        let mut sending = Vec::with_capacity(group.len());
        for message in group {
            // The first poll queues the message, which keeps the order; waiting for each write would cost a round
            // trip to the connection's thread for every message.
            let mut one = Box::pin(maybe_done(publish_one(channel, message)));
            let _in_line = poll!(&mut one);
            sending.push((message, one));
        }
        for (message, mut one) in sending {
            one.as_mut().await;
            let sent = one.as_mut().take_output().unwrap_or(Err(RabbitError::Deadline));
            awaited.push((message.routing_key.clone(), sent?));
        }
    }
    Ok(())
}

/// Sends one message; the confirm comes later.
pub(crate) async fn publish_one(channel: &Channel, message: &Outgoing) -> Result<PublisherConfirm, RabbitError> {
    let options = BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() };
    let (exchange, key) = (message.exchange.into(), message.routing_key.as_str().into());
    Ok(channel.basic_publish(exchange, key, options, &message.body, message.properties.clone()).await?)
}

/// The result of a confirm.
pub(crate) fn confirmed(message: &Outgoing, confirmation: Confirmation) -> Result<(), RabbitError> {
    taken(&message.routing_key, confirmation)
}

fn taken(routing_key: &str, confirmation: Confirmation) -> Result<(), RabbitError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
            Err(RabbitError::Unroutable(routing_key.to_owned()))
        }
        Confirmation::Nack(None) | Confirmation::NotRequested => Err(RabbitError::Refused),
    }
}
