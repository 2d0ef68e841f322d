//! What nodes that share one store tell one another by it.
//!
//! **Invariant:** nothing here is the only copy of what a node decides by.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{Timestamp, inventory::StockLevel};

/// A stock that somebody changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockChange {
    /// The stock.
    pub level: StockLevel,
    /// When, by the clock of the node that changed it.
    pub at: Timestamp,
}

/// A store that many nodes use at once.
#[async_trait]
pub trait SharedStore: Send + Sync {
    /// Stock that changed at `since` or later, oldest change first, at most `limit`.
    async fn stock_changed_since(&self, since: Timestamp, limit: u32) -> Result<Vec<StockChange>, StoreError>;

    /// Keeps a file under a name.
    async fn put_file(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// The file of a name.
    async fn file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Deletes files; one that is not there is deleted.
    async fn delete_files(&self, names: &[String]) -> Result<(), StoreError>;
}
