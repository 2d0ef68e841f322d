//! What nodes exchange through the store that they share.
//!
//! **Invariant:** nothing here is the only copy of data that a node bases decisions on.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Timestamp, inventory::StockLevel};

/// A change of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockChange {
    /// The stock.
    pub level: StockLevel,
    /// The time, by the clock of the node that changed it.
    pub at: Timestamp,
}

/// A store that many nodes use.
#[async_trait]
pub trait ClusterStore: Send + Sync {
    /// Stock that changed at `since` or later, the oldest change first, at most `limit`.
    async fn stock_changed_since(&self, since: Timestamp, limit: u32) -> Result<Vec<StockChange>, StoreError>;

    /// Stores a file under a name.
    async fn put_file(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// The file of a name.
    async fn file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Deletes files; a missing one counts as deleted.
    async fn delete_files(&self, names: &[String]) -> Result<(), StoreError>;
}
