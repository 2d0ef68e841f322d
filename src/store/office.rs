//! What those who run the marketplace look through: the newest users and orders.
//!
//! Lists go backwards from an id, so that a page costs the same wherever it is.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    ids::{OrderId, UserId},
    order::{Order, OrderStatus},
    user::User,
};

/// Reads across owners, for admins.
#[async_trait]
pub trait OfficeStore: Send + Sync {
    /// Users with an id below `before`, newest first, at most `limit`.
    async fn users(&self, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Users whose e-mail address an older account keeps, at most `limit`.
    async fn without_address(&self, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Orders of a status, or of any, with an id below `before`, newest first, at most `limit`.
    async fn orders(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError>;

    /// Forgets that the token with the id `jti` is dead.
    async fn revive_token(&self, jti: &str) -> Result<(), StoreError>;
}
