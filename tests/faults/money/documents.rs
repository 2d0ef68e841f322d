//! The shop's document storage, and access to it for tests.

use std::{path::PathBuf, sync::Arc, time::Duration};

use microbazaar::{
    domain::ids::EventId,
    store::{
        Stores,
        mongo::{MongoOptions, MongoStore},
        sqlite::SqliteStore,
    },
};
use test_support::{Settings, servers};

/// The shop's documents.
#[derive(Debug, Clone)]
pub enum Documents {
    /// A file in this folder.
    File(PathBuf),
    /// Databases of a server.
    Databases { uri: String, prefix: String },
}

/// Opened documents.
pub enum Opened {
    File(SqliteStore),
    Databases(MongoStore),
}

impl Documents {
    /// New databases, where there is a server.
    pub fn of_server() -> Option<Self> {
        let uri = servers::mongo()?;
        Some(Self::Databases { uri, prefix: format!("test_{}_", EventId::generate()) })
    }

    /// Adds what makes a program use them.
    pub fn settings(&self, settings: Settings) -> Settings {
        match self {
            Self::File(_) => settings,
            Self::Databases { uri, prefix } => settings.mongo(uri, prefix),
        }
    }

    pub async fn open(&self) -> Opened {
        match self {
            Self::File(data) => Opened::File(SqliteStore::open_beside(data).unwrap()),
            Self::Databases { uri, prefix } => {
                let mut options = MongoOptions::new(uri.clone().into(), prefix.clone());
                options.deadline = Duration::from_secs(20);
                options.keep_event = Arc::new(|_| false);
                Opened::Databases(MongoStore::open(options).await.unwrap())
            }
        }
    }

    /// Removes the databases from the server.
    pub async fn drop_databases(&self) {
        if let Opened::Databases(store) = self.open().await {
            store.drop_databases().await.unwrap();
        }
    }
}

impl Opened {
    pub fn stores(&self) -> Stores {
        match self {
            Self::File(store) => store.stores(),
            Self::Databases(store) => store.stores(),
        }
    }

    pub async fn close(self) {
        match self {
            Self::File(store) => tokio::task::spawn_blocking(move || store.close()).await.unwrap().unwrap(),
            Self::Databases(store) => store.close().await.unwrap(),
        }
    }
}
