//! What those who run the marketplace look through: the newest orders.
//!
//! Lists go backwards from an id, so that a page costs the same wherever it is.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    ids::OrderId,
    order::{Order, OrderStatus},
};

/// Reads across owners, for admins.
#[async_trait]
pub trait OfficeStore: Send + Sync {
    /// Orders of a status, or of any, with an id below `before`, newest first, at most `limit`.
    async fn orders(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError>;
}
