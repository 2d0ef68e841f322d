//! The database is killed during batches: answered writes survive, and no version exists twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use microbazaar::{
    config::Service,
    domain::ids::OrderId,
    store::{
        StoreError,
        document::{Collection, Document, Find, Index, NoUniqueKey, SaveError},
        mongo::{MongoOptions, MongoStore},
    },
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use test_support::{DEADLINE, OwnServer};

/// Writers, some of which share a journal.
const WRITERS: u64 = 64;
/// Journals that are shared.
const SHARED: usize = 8;
/// How often the database is killed.
const KILLS: u32 = 6;
/// The least number of answered writes between two kills.
const SOME: u64 = 300;

/// Each write adds one entry, so that the version equals the number of entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Journal {
    id: OrderId,
    entries: Vec<u64>,
    version: u64,
}

impl Journal {
    fn of(id: OrderId, entry: u64) -> Self {
        Self { id, entries: vec![entry], version: 0 }
    }
}

impl Document for Journal {
    type Id = OrderId;
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "journals";
    const SERVICE: Service = Service::Order;
    const INDEXES: &'static [Index<Self>] = &[];

    fn id(&self) -> OrderId {
        self.id
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

/// The writes by entry: the journal, and whether the write was answered.
type Written = BTreeMap<u64, (OrderId, bool)>;

struct Writers {
    journals: Collection<Journal>,
    shared: Vec<OrderId>,
    next: AtomicU64,
    answered: AtomicU64,
    ends: AtomicBool,
}

impl Writers {
    /// Writes in turn into a shared journal, one of its own, and a new one, until the end.
    async fn write(&self, number: usize) -> Written {
        let mut written = Written::new();
        let own = OrderId::generate();
        while !self.ends.load(Ordering::Relaxed) {
            for id in [self.shared[number % SHARED], own, OrderId::generate()] {
                let entry = self.next.fetch_add(1, Ordering::Relaxed);
                let outcome = self.add(id, entry).await;
                self.answered.fetch_add(u64::from(outcome == Ok(true)), Ordering::Relaxed);
                match outcome {
                    Ok(is_written) => drop(written.insert(entry, (id, is_written))),
                    Err(StoreError::Deadline | StoreError::Unavailable(_) | StoreError::Busy) => {
                        written.insert(entry, (id, false));
                        // Nothing to do while the server is unavailable.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        written
    }

    /// Adds an entry to a journal, which is created if necessary; returns whether it did.
    async fn add(&self, id: OrderId, entry: u64) -> Result<bool, StoreError> {
        let add = |journal: &mut Journal| {
            journal.entries.push(entry);
            Some(())
        };
        if self.journals.change(id, add).await?.is_some() {
            return Ok(true);
        }
        match self.journals.save(&Journal::of(id, entry), &[]).await {
            Ok(_) => Ok(true),
            // Another writer has created it.
            Err(SaveError::Store(StoreError::Conflict)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn go_on(&self) {
        let (until, started) = (self.answered.load(Ordering::Relaxed) + SOME, Instant::now());
        while self.answered.load(Ordering::Relaxed) < until {
            assert!(started.elapsed() < DEADLINE, "in time: writes are answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answered_writes_survive_a_killed_database() {
    let Some(mut database) = OwnServer::mongo() else { return };
    let mut options = MongoOptions::new(SecretString::from(database.url()), "killed_");
    options.documents.push(Journal::SPEC);
    let store = MongoStore::open(options).await.unwrap();
    let writers = Arc::new(Writers {
        journals: Collection::new(store.stores().backend),
        shared: (0..SHARED).map(|_| OrderId::generate()).collect(),
        next: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        ends: AtomicBool::new(false),
    });
    let at_work: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writers = Arc::clone(&writers);
            tokio::spawn(async move { writers.write(usize::try_from(number).unwrap()).await })
        })
        .collect();
    for _ in 0..KILLS {
        writers.go_on().await;
        database.kill();
        database.start_again();
    }
    writers.go_on().await;
    writers.ends.store(true, Ordering::Relaxed);
    let written: Written = join_all(at_work).await.into_iter().flat_map(Result::unwrap).collect();

    let stored = writers.journals.find(Find::by_id()).await.unwrap();
    let mut places = BTreeMap::new();
    for journal in &stored {
        let Journal { id, entries, version } = journal;
        assert_eq!(
            *version,
            u64::try_from(entries.len()).unwrap(),
            "each version of {id} added one entry: {entries:?}"
        );
        for entry in entries {
            assert_eq!(places.insert(entry, *id), None, "{entry} is there once");
        }
    }
    let lost: Vec<_> = written
        .iter()
        .filter(|(entry, (id, answered))| if *answered { places.get(entry) != Some(id) } else { false })
        .collect();
    assert_eq!(lost, [], "of {} that were answered", writers.answered.load(Ordering::Relaxed));
    for (entry, id) in places {
        assert_eq!(written[entry].0, id, "{entry} was written there");
    }
}
