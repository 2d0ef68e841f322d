//! Where documents are stored: in an embedded file, or in a database that nodes share.
//!
//! **Invariant:** no code outside this file depends on which of them it is.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};

use crate::{
    config::Config,
    integrations::redis::{ChangeNotifier, topic},
    store::{
        StoreError, Stores,
        mongo::{MongoOptions, MongoStore},
        sqlite::{SqliteOptions, SqliteStore},
    },
};

/// How long a starting node waits for its database.
const THERE_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The open store.
#[derive(Clone)]
pub enum Storage {
    /// One file in the data directory.
    Sqlite(SqliteStore),
    /// A database that many nodes use.
    Mongo(MongoStore),
}

impl Storage {
    /// Opens the configured store: the database of `mongo.uri`, otherwise the file in `data_dir` with these options.
    ///
    /// # Errors
    /// When the file is damaged, or the database is not available within a minute.
    pub async fn open(config: &Config, data_dir: &Path, options: SqliteOptions) -> Result<Self> {
        Self::open_notifying(config, data_dir, options, &ChangeNotifier::default()).await
    }

    /// As [`Storage::open`], and notifies the relays of other nodes when it has written events.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub async fn open_notifying(
        config: &Config,
        data_dir: &Path,
        options: SqliteOptions,
        notifier: &ChangeNotifier,
    ) -> Result<Self> {
        let Some(uri) = &config.mongo.uri else { return Ok(Self::Sqlite(SqliteStore::open(data_dir, options)?)) };
        let mut mongo = MongoOptions::new(uri.clone(), config.mongo.database_prefix.clone());
        mongo.keep_event = Arc::clone(&options.keep_event);
        let notifier = notifier.clone();
        mongo.on_events = Arc::new(move || notifier.notify_others(topic::OUTBOX));
        let deadline = tokio::time::Instant::now() + THERE_WITHIN;
        loop {
            match MongoStore::open(mongo.clone()).await {
                Ok(store) => return Ok(Self::Mongo(store)),
                // The database may be starting at the same time.
                Err(error @ (StoreError::Unavailable(_) | StoreError::Deadline | StoreError::Busy))
                    if tokio::time::Instant::now() < deadline =>
                {
                    tracing::warn!(%error, "waiting for the database");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error).context("the database in mongo.uri cannot be used"),
            }
        }
    }

    /// Opens the store, which other processes may be using.
    ///
    /// # Errors
    /// When there is none, or another version of the program created it.
    pub async fn open_beside(config: &Config) -> Result<Self> {
        if config.mongo.uri.is_some() {
            return Self::open(config, &config.data_dir, SqliteOptions::default()).await;
        }
        Ok(Self::Sqlite(SqliteStore::open_beside(&config.data_dir)?))
    }

    /// Every aggregate's store.
    #[must_use]
    pub fn stores(&self) -> Stores {
        match self {
            Self::Sqlite(sqlite) => sqlite.stores(),
            Self::Mongo(mongo) => mongo.stores(),
        }
    }

    /// Whether the store can read and write now.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.check().await,
            Self::Mongo(mongo) => mongo.check().await,
        }
    }

    /// Checks the whole embedded file; a database server checks itself.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with one sentence that says what to do.
    pub async fn integrity_check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.integrity_check().await,
            Self::Mongo(_) => Ok(()),
        }
    }

    /// Finishes waiting work and closes the store.
    ///
    /// # Errors
    /// When it did not close in time.
    pub async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(sqlite) => tokio::task::spawn_blocking(move || sqlite.close()).await??,
            Self::Mongo(mongo) => {
                // If the server is unavailable, another node takes over some seconds later.
                if let Err(error) = mongo.close().await {
                    tracing::warn!(%error, "could not release leases");
                }
            }
        }
        Ok(())
    }
}
