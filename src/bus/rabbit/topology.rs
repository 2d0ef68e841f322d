//! Declarations at the broker.
//!
//! A message that could not be handled waits in `<queue>.retry.1` to `.4`. Each has one fixed delay and dead-letters
//! back to the queue, because a queue with mixed delays would be blocked by its head. After the last one the message
//! goes to `<queue>.dead`.
//!
//! The delay is the message's expiration and not an argument of the queue: an existing queue cannot be declared again
//! with other arguments, and the delays are configurable.

use std::time::Duration;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use super::RabbitError;
use crate::domain::queues::{EXCHANGE, QUEUES};

/// How often a message is retried.
pub const RETRIES: usize = 4;

/// The pauses before each retry.
pub type Delays = [Duration; RETRIES];

/// The retry queue in which a message waits before its retry number `attempt`, counted from 1.
#[must_use]
pub fn retry_queue(queue: &str, attempt: usize) -> String {
    format!("{queue}.retry.{attempt}")
}

/// The dead queue.
#[must_use]
pub fn dead_queue(queue: &str) -> String {
    format!("{queue}.dead")
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

/// Declares the targets of publishing: the exchange and every named queue, with its bindings.
///
/// # Errors
/// [`RabbitError::Away`].
pub async fn declare_published(channel: &Channel) -> Result<(), RabbitError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default()).await?;
    for queue in QUEUES {
        channel.queue_declare(queue.name.into(), durable(), FieldTable::default()).await?;
        for key in queue.bound_to {
            let (name, exchange, key) = (queue.name.into(), EXCHANGE.into(), (*key).into());
            channel.queue_bind(name, exchange, key, QueueBindOptions::default(), FieldTable::default()).await?;
        }
    }
    Ok(())
}

/// Declares a queue that is read, with its retry queues and dead queue.
///
/// # Errors
/// [`RabbitError::Away`].
pub async fn declare_read(channel: &Channel, queue: &str) -> Result<(), RabbitError> {
    channel.queue_declare(queue.into(), durable(), FieldTable::default()).await?;
    for attempt in 1..=RETRIES {
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(queue.into()));
        channel.queue_declare(retry_queue(queue, attempt).into(), durable(), arguments).await?;
    }
    channel.queue_declare(dead_queue(queue).into(), durable(), FieldTable::default()).await?;
    Ok(())
}
