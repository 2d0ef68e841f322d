//! Imports of products, and the rows of those that are not finished.
//!
//! **Invariant:** an import that is not finished has its rows.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Timestamp,
    event::Envelope,
    ids::{ImportId, UserId},
    import::{Import, ImportRow},
};

/// Keeps imports.
#[async_trait]
pub trait ImportStore: Send + Sync {
    /// Writes an import; see the module `store` for versions. `rows` are written with it where it
    /// begins, and are gone once it is finished.
    async fn save(&self, import: &Import, rows: Option<&[ImportRow]>, events: &[Envelope]) -> Result<u64, StoreError>;

    /// The import of an id.
    async fn get(&self, id: ImportId) -> Result<Option<Import>, StoreError>;

    /// The rows of an import that is not finished.
    async fn rows(&self, id: ImportId) -> Result<Vec<ImportRow>, StoreError>;

    /// Imports that are not finished and due at `now`, longest due first.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Import>, StoreError>;

    /// A seller's imports, the last taken first.
    async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError>;
}
