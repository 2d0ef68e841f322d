//! The webhook channel: queues a delivery for each webhook that receives an event. [`crate::actors::webhook`] sends
//! them.

use async_trait::async_trait;

use super::Channel;
use crate::{
    actors::webhook::Webhooks,
    bus::{Delivery, HandleError},
    domain::queues,
};

/// The only queue, which gets everything of the topic exchange.
const QUEUES: [&str; 1] = [queues::EVENTS_WEBHOOK];

/// Notifies webhooks.
pub struct WebhookChannel {
    webhooks: Webhooks,
}

impl WebhookChannel {
    /// Notifies those that are registered with `webhooks`.
    #[must_use]
    pub const fn new(webhooks: Webhooks) -> Self {
        Self { webhooks }
    }
}

#[async_trait]
impl Channel for WebhookChannel {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn queues(&self) -> &'static [&'static str] {
        &QUEUES
    }

    fn is_listening(&self) -> bool {
        self.webhooks.is_listening()
    }

    async fn notify(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.webhooks.notify(delivery).await
    }
}
