//! The embedded adapter in the suite.

use std::path::PathBuf;

use microbazaar::{
    domain::ids::EventId,
    store::{
        Stores,
        sqlite::{SqliteOptions, SqliteStore},
    },
};

/// A directory that is removed after the test.
pub struct TempDir(pub PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

async fn open() -> Option<(Stores, (SqliteStore, TempDir))> {
    let dir = std::env::temp_dir().join(format!("microbazaar-{}", EventId::generate()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut options = SqliteOptions::default();
    options.documents.extend(super::documents::DOCUMENTS);
    let store = SqliteStore::open(&dir, options).unwrap();
    Some((store.stores(), (store, TempDir(dir))))
}

super::conformance_suite!(self::open);
