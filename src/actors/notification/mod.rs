//! Sends notifications to people and programs.
//!
//! [`Notifications`] reads the queues of one [`Channel`] and passes it each delivery. A payload that is invalid for
//! its queue is [`HandleError::Unreadable`]; an unavailable store or peer is [`HandleError::Away`]; an actor that
//! died while handling the delivery, or took too long, is [`HandleError::Transient`]. The latter two are retried.
//!
//! **Invariant:** deliveries of one aggregate are handled in order; a delivery is answered with `Ok` only after its
//! channel has sent or durably queued the notification.

mod actor;
mod channel;
mod email;
mod email_data;
mod email_template;
mod webhook;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use actor::Deliver;
pub use actor::NotificationActor;
pub use channel::Channel;
pub use email::EmailChannel;
pub use email_template::EmailTemplate;
pub use webhook::WebhookChannel;

use crate::{
    bus::{Consumer, Delivery, HandleError},
    config::PublicUrl,
    runtime::{AskError, Handle, Limits, Runtime},
};

/// How many aggregates of one batch are handled concurrently.
const AT_ONCE: usize = 64;

/// The deadline of a delivery; the actor itself gives up a little earlier.
const DEADLINE: Duration = Duration::from_secs(30);

/// The shop's data in mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopInfo {
    pub name: String,
    /// The base URL of links.
    pub base_url: PublicUrl,
}

impl ShopInfo {
    /// The page of an order.
    pub(crate) fn order_url(&self, order: &str) -> String {
        format!("{}/orders/{order}", self.base_url.trim_end_matches('/'))
    }

    /// The page of a seller's imports.
    pub(crate) fn import_url(&self) -> String {
        format!("{}/seller/products/import", self.base_url.trim_end_matches('/'))
    }

    /// The page on which announcements end.
    pub(crate) fn unsubscribe_url(&self, token: &str) -> String {
        format!("{}/unsubscribe/{token}", self.base_url.trim_end_matches('/'))
    }

    /// The page of a product.
    pub(crate) fn product_url(&self, product: &str) -> String {
        format!("{}/products/{product}", self.base_url.trim_end_matches('/'))
    }
}

/// A consumer for one channel.
#[derive(Clone)]
pub struct Notifications {
    actor: Handle<NotificationActor>,
    channel: Arc<dyn Channel>,
}

impl Notifications {
    /// Starts the channel's actor.
    #[must_use]
    pub fn start(runtime: &Runtime, channel: Arc<dyn Channel>) -> Self {
        let limits = Limits { in_flight: 1_024, deadline: DEADLINE };
        let of_actor = Arc::clone(&channel);
        let actor = runtime.supervise("notification", limits, move || NotificationActor::new(Arc::clone(&of_actor)));
        Self { actor, channel }
    }

    async fn deliver(&self, delivery: Delivery) -> Result<(), HandleError> {
        self.actor.ask(Deliver(delivery)).await.map_err(|error| match error {
            AskError::Refused(error) => error,
            AskError::Busy | AskError::Restarting | AskError::Died | AskError::Deadline => {
                HandleError::Transient(format!("the notification actor did not answer: {error}"))
            }
        })
    }

    /// Handles the deliveries of one aggregate sequentially.
    async fn in_order(&self, deliveries: Vec<(usize, Delivery)>) -> Vec<(usize, Result<(), HandleError>)> {
        let mut answers = Vec::with_capacity(deliveries.len());
        for (at, delivery) in deliveries {
            answers.push((at, self.deliver(delivery).await));
        }
        answers
    }
}

/// The deliveries with their positions, grouped by aggregate and in order.
fn by_aggregate(deliveries: Vec<Delivery>) -> Vec<Vec<(usize, Delivery)>> {
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut groups: Vec<Vec<(usize, Delivery)>> = vec![];
    for (at, delivery) in deliveries.into_iter().enumerate() {
        let place = *places.entry(delivery.aggregate_id.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push(vec![]);
        }
        groups[place].push((at, delivery));
    }
    groups
}

#[async_trait]
impl Consumer for Notifications {
    fn queues(&self) -> &'static [&'static str] {
        self.channel.queues()
    }

    fn is_listening(&self) -> bool {
        self.channel.is_listening()
    }

    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>> {
        if !self.channel.is_listening() {
            return vec![Ok(()); deliveries.len()];
        }
        let groups = by_aggregate(deliveries);
        let mut answers: Vec<_> = stream::iter(groups)
            .map(|group| self.in_order(group))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .flatten()
            .collect();
        answers.sort_unstable_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

#[cfg(test)]
mod tests;
