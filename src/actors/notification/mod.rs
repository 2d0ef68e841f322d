//! Tells people and programs what happened.
//!
//! [`Notifications`] reads the queues of one [`Channel`] and has it tell of each delivery. A
//! payload that is not what its queue promises is [`HandleError::Unreadable`]; a store or a
//! peer that is away is [`HandleError::Away`]; an actor that died with the delivery in its hands,
//! or took too long, is [`HandleError::Transient`]. Both are tried again.
//!
//! **Invariant:** deliveries of one aggregate are worked on in their order; a delivery is
//! answered with `Ok` only after its channel has told of it, or has stored that it will.

mod actor;
mod channel;
mod email;
mod facts;
mod letter;
mod webhook;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use actor::Deliver;
pub use actor::NotificationActor;
pub use channel::Channel;
pub use email::EmailChannel;
pub use letter::Letter;
pub use webhook::WebhookChannel;

use crate::{
    bus::{Consumer, Delivery, HandleError},
    config::PublicUrl,
    runtime::{AskError, Handle, Limits, Runtime},
};

/// Aggregates of one batch that are told of side by side.
const AT_ONCE: usize = 64;

/// From a delivery to its answer; the actor itself gives up a little earlier.
const DEADLINE: Duration = Duration::from_secs(30);

/// What mails say of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopInfo {
    /// Its name.
    pub name: String,
    /// Where links to it lead.
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

    /// The page of a product.
    pub(crate) fn product_url(&self, product: &str) -> String {
        format!("{}/products/{product}", self.base_url.trim_end_matches('/'))
    }
}

/// One channel at work.
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

    /// Delivers those of one aggregate one after the other.
    async fn in_order(&self, deliveries: Vec<(usize, Delivery)>) -> Vec<(usize, Result<(), HandleError>)> {
        let mut answers = Vec::with_capacity(deliveries.len());
        for (at, delivery) in deliveries {
            answers.push((at, self.deliver(delivery).await));
        }
        answers
    }
}

/// The deliveries with their places, those of one aggregate together and in their order.
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
