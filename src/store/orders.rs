//! Orders, and the idempotency keys under which they were made.

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{
    Timestamp,
    event::Envelope,
    ids::{OrderId, UserId},
    order::{Order, OrderStatus},
};

/// A key under which a user made an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the client sent it.
    pub key: String,
    /// A hash of the request it came with.
    pub request_hash: String,
    /// The order that was made.
    pub order: OrderId,
    /// When the key is forgotten.
    pub expires_at: Timestamp,
}

/// Keeps orders.
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Writes a new order, and its idempotency key with it. An expired key is overwritten.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] with `key` when the user used that key for another order, with
    /// `cart` when an order was made from this version of the user's cart.
    async fn insert(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        events: &[Envelope],
    ) -> Result<u64, StoreError> {
        self.insert_within(order, key, None, events).await
    }

    /// As [`OrderStore::insert`], and refused while the user has `max_unpaid` other orders that are
    /// `PENDING`. Of many written at once, on whatever node, no more get in.
    ///
    /// # Errors
    /// Those of `insert`, which come first, and [`StoreError::Full`].
    async fn insert_within(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        max_unpaid: Option<u32>,
        events: &[Envelope],
    ) -> Result<u64, StoreError>;

    /// Writes an order that was read; see the module for versions.
    async fn save(&self, order: &Order, events: &[Envelope]) -> Result<u64, StoreError>;

    /// The order of an id.
    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

    /// What `user` used `key` for, unless that is expired at `now`.
    async fn by_key(&self, user: UserId, key: &str, now: Timestamp) -> Result<Option<IdempotencyKey>, StoreError>;

    /// A user's orders, newest first.
    async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, StoreError>;

    /// Orders with something to do at `now` (`saga.due_at`), longest due first, at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<OrderId>, StoreError>;

    /// Orders that await their money (`PENDING`) with an id above `after`, by id, at most `limit`.
    async fn unpaid(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError>;

    /// All orders with an id above `after`, by id, at most `limit`.
    async fn all(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError>;

    /// Forgets idempotency keys that are expired at `now`.
    async fn forget_keys(&self, now: Timestamp) -> Result<(), StoreError>;
}
