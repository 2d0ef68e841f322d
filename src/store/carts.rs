//! Carts, one for each user.
//!
//! **Invariant:** a save with another version than the stored one changes nothing.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{cart::Cart, ids::UserId};

/// Keeps carts.
#[async_trait]
pub trait CartStore: Send + Sync {
    /// Writes a cart; see the module for versions. A second cart of one user is a `Conflict`.
    async fn save(&self, cart: &Cart) -> Result<u64, StoreError>;

    /// The cart of a user.
    async fn of_user(&self, user: UserId) -> Result<Option<Cart>, StoreError>;
}
