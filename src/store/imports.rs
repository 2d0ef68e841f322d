//! Imports of products, and the rows of those that are not finished.
//!
//! Rows are written before the import that has them and deleted after it is finished. They belong to the file with
//! the import's digest; rows that a crash leaves behind are overwritten by the next import of the file.
//!
//! **Invariant:** an unfinished import has its rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Desc, Document, Index, NoUniqueKey, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        event::Envelope,
        ids::{ImportId, UserId},
        import::{Import, ImportRow},
    },
};

/// How many imports are deleted at once.
const AT_ONCE: u32 = 100;

const DUE: Index<Import> = Index::new("due", |of| if of.finished_at.is_none() { key(of.due_at) } else { None });
const SELLER: Index<Import> = Index::new("seller", |of| key((of.seller, Desc(of.started_at))));

impl Document for Import {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "imports";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[DUE, SELLER];
    const PUBLISHES: bool = true;

    stored_as!(self, ImportId = self.id, self.version);
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImportRows {
    import: ImportId,
    /// The run of the import that they belong to.
    run: u32,
    /// JSON text, because it is shorter than values and a document's length is limited.
    rows: String,
    #[serde(skip)]
    version: u64,
}

impl Document for ImportRows {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "import_rows";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[];

    stored_as!(self, ImportId = self.import, self.version);
}

/// Keeps imports.
#[derive(Clone)]
pub struct ImportStore {
    imports: Collection<Import>,
    rows: Collection<ImportRows>,
}

impl ImportStore {
    /// The imports in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { imports: Collection::new(Arc::clone(&backend)), rows: Collection::new(backend) }
    }

    /// Writes an import; see the module `store` for versions. `rows` are written before a new import, and are deleted
    /// once it is finished.
    pub async fn save(
        &self,
        import: &Import,
        rows: Option<&[ImportRow]>,
        events: &[Envelope],
    ) -> Result<u64, StoreError> {
        if let Some(rows) = rows {
            let rows = serde_json::to_string(rows).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            self.rows.put(ImportRows { import: import.id, run: import.run, rows, version: 0 }).await?;
        }
        let saved = self.imports.save(import, events).await?;
        if import.finished_at.is_some()
            && let Err(error) = self.delete_rows(import).await
        {
            tracing::warn!(import.id = %import.id, %error, "could not delete the rows of a finished import");
        }
        Ok(saved)
    }

    /// Deletes the rows of an import, but not those of a later run.
    async fn delete_rows(&self, import: &Import) -> Result<(), StoreError> {
        match self.rows.get(import.id).await? {
            Some(rows) if rows.run == import.run => match self.rows.delete_read(&rows, &[]).await {
                Err(StoreError::Conflict) => Ok(()),
                deleted => deleted,
            },
            _ => Ok(()),
        }
    }

    /// The import of an id.
    pub async fn get(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        self.imports.get(id).await
    }

    /// The rows of an unfinished import.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when there are none.
    pub async fn rows(&self, id: ImportId) -> Result<Vec<ImportRow>, StoreError> {
        let found = self.rows.get(id).await?;
        let found = found.ok_or_else(|| StoreError::Corrupt("an import without its rows".to_owned()))?;
        serde_json::from_str(&found.rows).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// Unfinished imports that are due at `now`, the longest due first.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.imports.find(DUE.due(now).limit(limit)).await
    }

    /// Deletes a seller's imports; unfinished ones end.
    pub async fn delete_of(&self, seller: UserId) -> Result<(), StoreError> {
        loop {
            let found = self.of_seller(seller, AT_ONCE).await?;
            for import in &found {
                self.rows.delete(import.id).await?;
                self.imports.delete(import.id).await?;
            }
            if found.is_empty() {
                return Ok(());
            }
        }
    }

    /// A seller's imports, the newest first.
    pub async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.imports.find(SELLER.of(seller).limit(limit)).await
    }
}
