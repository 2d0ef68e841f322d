//! The adapter for MongoDB under the suite, with the server that `TEST_MONGO_URI` names.

use microbazaar::{
    domain::ids::EventId,
    store::{
        Stores,
        mongo::{MongoOptions, MongoStore},
    },
};
use secrecy::SecretString;

/// Databases that go with the test.
struct Databases(MongoStore);

impl Drop for Databases {
    fn drop(&mut self) {
        let store = self.0.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(store.drop_databases())
        });
        let _gone = dropping.join();
    }
}

async fn open() -> Option<(Stores, Databases)> {
    let Ok(uri) = std::env::var("TEST_MONGO_URI") else {
        eprintln!("left out: TEST_MONGO_URI names no server");
        return None;
    };
    let mut options = MongoOptions::new(SecretString::from(uri), format!("test_{}_", EventId::generate()));
    options.deadline = std::time::Duration::from_secs(20);
    options.keep_event = std::sync::Arc::new(|name| name != "STOCK_CHANGED");
    let store = MongoStore::open(options).await.unwrap();
    Some((store.stores(), Databases(store)))
}

super::conformance_suite!(self::open);
