//! The channel of webhooks: one delivery in, one entry in the queue of each webhook that is
//! told of it. Sending is [`crate::actors::webhook`]'s.

use async_trait::async_trait;

use super::Channel;
use crate::{
    actors::webhook::Webhooks,
    bus::{Delivery, HandleError},
    domain::queues,
};

/// The one queue, which gets what the topic exchange gets.
const QUEUES: [&str; 1] = [queues::EVENTS_WEBHOOK];

/// Tells webhooks.
pub struct WebhookChannel {
    webhooks: Webhooks,
}

impl WebhookChannel {
    /// Tells those that are registered with `webhooks`.
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
        self.webhooks.tell(delivery).await
    }
}
