//! The embedded adapter: one `SQLite` file in the data directory.
//!
//! One thread writes and groups waiting jobs into one commit (`writer`); a few others read concurrently (`readers`).
//! A full queue gives [`StoreError::Busy`], a slow disk [`StoreError::Deadline`]; a job that panics is rolled back
//! without affecting others.
//!
//! **Invariant:** an answered write is on disk, whenever the process is killed, and visible to every read that begins
//! after the answer.

mod backup;
mod codec;
mod connection;
mod create;
mod dashboard;
mod documents;
mod engine;
mod export;
mod identity;
mod inventory;
mod options;
mod outbox;
mod readers;
mod schema;
mod table;
mod upgrades;
mod writer;

use std::{path::Path, sync::Arc};

use engine::{Engine, spawn};
pub use export::{Batch, Export, Records};
pub use options::{SqliteOptions, Stall};

use super::{
    AccountStore, CartStore, ConversationStore, ImageLog, ImportStore, MailboxStore, OrderStore, PaymentStore,
    ProductStore, StoreError, Stores, WebhookStore, outbox::DocumentOutbox,
};

/// The open embedded store. Clones share it; dropping the last one closes it.
#[derive(Clone)]
pub struct SqliteStore {
    engine: Arc<Engine>,
}

impl SqliteStore {
    /// Opens the store in the directory `dir`, which must exist; creates the file if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is damaged or no store at all,
    /// [`StoreError::Unavailable`] when it cannot be opened or a newer program wrote it.
    pub fn open(dir: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let engine = Engine::start(&dir.join(connection::FILE), &options)?;
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Whether the directory `dir` has a store.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(connection::FILE).is_file()
    }

    /// Opens the store in the directory `dir` while this or another process uses it; each
    /// waits for the other's writes.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], and [`StoreError::Unavailable`] when there is no store, or it has an older schema:
    /// the process that uses it would not know the newer one.
    pub fn open_beside(dir: &Path) -> Result<Self, StoreError> {
        let file = dir.join(connection::FILE);
        if !Self::is_in(dir) {
            return Err(StoreError::Unavailable(format!("there is no data file {}", file.display())));
        }
        create::expect_content(&file)?;
        schema::expect_current(&connection::open_reader(&file)?).map_err(|error| connection::named(&file, error))?;
        Self::open(dir, SqliteOptions { readers: 1, ..SqliteOptions::default() })
    }

    /// Every aggregate's store.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores {
            backend: self.engine.clone(),
            accounts: AccountStore::new(self.engine.clone()),
            products: ProductStore::new(self.engine.clone()),
            imports: ImportStore::new(self.engine.clone()),
            stock: self.engine.clone(),
            carts: CartStore::new(self.engine.clone()),
            orders: OrderStore::new(self.engine.clone()),
            payments: PaymentStore::new(self.engine.clone()),
            dashboard: self.engine.clone(),
            mailbox: MailboxStore::new(self.engine.clone()),
            outbox: Arc::new(DocumentOutbox::new(self.engine.clone(), self.engine.clone())),
            pictures: ImageLog::new(self.engine.clone()),
            conversations: ConversationStore::new(self.engine.clone()),
            cluster: None,
            webhooks: WebhookStore::new(self.engine.clone()),
        }
    }

    /// Finishes and answers every waiting write, then closes the file; later calls get [`StoreError::Unavailable`].
    /// Blocks, each of its waits up to the options' deadline.
    ///
    /// # Errors
    /// [`StoreError::Deadline`] when a thread did not end in time.
    pub fn close(&self) -> Result<(), StoreError> {
        self.engine.close()
    }

    /// Whether the store can read and write, checked with a small write every other second.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.engine.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await?;
        self.engine.check_writes().await
    }

    /// Reads the whole file and checks its structure. A small file was checked when it was opened; for a large one
    /// (over 16 MiB) call this in the background.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with one sentence that says what to do.
    pub async fn integrity_check(&self) -> Result<(), StoreError> {
        self.engine.integrity_check().await
    }

    /// Copies a snapshot of the store in the directory `dir` to the new file `file`, while this or another process
    /// may write to it. Blocks until the copy is checked and on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when `file` exists, or cannot be written.
    pub fn backup(dir: &Path, file: &Path) -> Result<(), StoreError> {
        backup::backup(dir, file)
    }
}

#[cfg(test)]
mod tests;
