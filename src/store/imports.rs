//! Imports of products, and the rows of those that are not finished.
//!
//! Rows are written before the import that has them and deleted after it is finished. They are those of the file
//! with the import's digest, whoever wrote them; what is left of them after a crash the next run of the file
//! writes over.
//!
//! **Invariant:** an import that is not finished has its rows.

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

/// The rows of an import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImportRows {
    import: ImportId,
    /// Which run of the import they are for.
    run: u32,
    /// JSON text, which takes less of what a document may be long than its values would.
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

    /// Writes an import; see the module `store` for versions. `rows` are written before it where it
    /// begins, and are gone once it is finished.
    ///
    /// # Errors
    /// [`StoreError`].
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
            tracing::warn!(import.id = %import.id, %error, "the rows of a finished import stay");
        }
        Ok(saved)
    }

    /// Deletes the rows of an import, but not those of a run that has begun since.
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
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        self.imports.get(id).await
    }

    /// The rows of an import that is not finished.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when there are none.
    pub async fn rows(&self, id: ImportId) -> Result<Vec<ImportRow>, StoreError> {
        let found = self.rows.get(id).await?;
        let found = found.ok_or_else(|| StoreError::Corrupt("an import without its rows".to_owned()))?;
        serde_json::from_str(&found.rows).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// Imports that are not finished and due at `now`, longest due first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.imports.find(DUE.due(now).limit(limit)).await
    }

    /// A seller's imports, the last taken first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.imports.find(SELLER.of(seller).limit(limit)).await
    }
}
