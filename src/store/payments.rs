//! Payments, the webhooks that were worked on, and the sandbox gateway's own books.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Timestamp,
    event::Envelope,
    ids::{OrderId, PaymentId},
    payment::Payment,
};

/// Keeps payments.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// Writes a payment; see the module for versions.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] with `order` or `razorpayOrderId` when there is another
    /// payment with that; `Conflict`.
    async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, StoreError>;

    /// The payment of an id.
    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError>;

    /// The payment of an order.
    async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError>;

    /// The payment of a gateway order.
    async fn by_razorpay_order(&self, razorpay_order_id: &str) -> Result<Option<Payment>, StoreError>;

    /// Payments with something to do at `now` (`due_at`), longest due first, at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>, StoreError>;

    /// All payments with an id above `after`, by id, at most `limit`.
    async fn all(&self, after: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError>;

    /// Remembers that the webhook `event_id` was worked on.
    async fn remember_webhook(&self, event_id: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Whether the webhook `event_id` was worked on.
    async fn knows_webhook(&self, event_id: &str) -> Result<bool, StoreError>;

    /// Writes a page of the sandbox gateway's books: any JSON under a key.
    async fn put_sandbox(&self, key: &str, page: &serde_json::Value) -> Result<(), StoreError>;

    /// A page of the sandbox gateway's books.
    async fn get_sandbox(&self, key: &str) -> Result<Option<serde_json::Value>, StoreError>;
}
