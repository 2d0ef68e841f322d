//! A way of telling: e-mail, webhooks, and whatever comes later.
//!
//! **Invariant:** a channel has its own queues, so that one that is slow or away holds up
//! and repeats nothing of another.

use async_trait::async_trait;

use crate::bus::{Delivery, HandleError};

/// Tells people or programs what happened.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Its name in logs and metrics, `email`.
    fn name(&self) -> &'static str;

    /// The queues whose deliveries it tells of.
    fn queues(&self) -> &'static [&'static str];

    /// Whether there is anybody to tell; see [`crate::bus::Consumer::is_listening`].
    fn is_listening(&self) -> bool {
        true
    }

    /// Tells of a delivery, or stores durably that it is to be told. It may come twice and
    /// is told once, by its event's id.
    ///
    /// # Errors
    /// [`HandleError::Transient`] to be asked again later, [`HandleError::Unreadable`] when
    /// there is no use in that.
    async fn notify(&self, delivery: &Delivery) -> Result<(), HandleError>;
}
