//! A channel of notifications: e-mail, webhooks, and later ones.
//!
//! **Invariant:** a channel has its own queues, so that a slow or unavailable channel does not delay or repeat
//! notifications of another.

use async_trait::async_trait;

use crate::bus::{Delivery, HandleError};

/// Sends notifications to people or programs.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Its name in logs and metrics, `email`.
    fn name(&self) -> &'static str;

    /// The queues whose deliveries it sends notifications about.
    fn queues(&self) -> &'static [&'static str];

    /// Whether the channel is active; see [`crate::bus::Consumer::is_listening`].
    fn is_listening(&self) -> bool {
        true
    }

    /// Sends a notification about a delivery, or queues it durably. A duplicate delivery is sent once, by its event's
    /// id.
    ///
    /// # Errors
    /// [`HandleError::Transient`] to be retried later, [`HandleError::Unreadable`] when retrying does not help.
    async fn notify(&self, delivery: &Delivery) -> Result<(), HandleError>;
}
