//! The client with its threads, and the deadline of every call.
//!
//! The driver's sockets and timers run on their own threads, because the runtime of an HTTP worker may end while
//! other threads still use the pool.
//!
//! **Invariant:** a call is answered within the deadline, and a bounded number is in progress.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

use bson::{Document, doc};
use mongodb::{
    Client, Collection, Database,
    options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern},
};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use tokio::{
    runtime::Runtime,
    sync::{Notify, Semaphore},
};

use super::{
    MongoOptions, OnEvents,
    batch::Batcher,
    codec::{self, Failed},
    documents::Place,
    feed::Feed,
    layout,
    leases::Leases,
    stock::batcher::WriteBatcher,
};
use crate::{
    domain::Timestamp,
    store::{KeepEvent, StoreError, document::Spec, sequence::Sequence},
};

/// How long the driver looks for a server before it gives up.
const SELECT_WITHIN: Duration = Duration::from_secs(2);
/// How long the health check relies on the last successful write.
const CHECKED_FOR: Duration = Duration::from_millis(1_500);
/// The collection of the check's writes, in the first database.
const WRITE_CHECKS: &str = "write_checks";
/// How many threads serve the driver.
const THREADS: usize = 2;

/// The collections, each in its service's database.
#[derive(Clone)]
pub(super) struct Collections {
    pub counters: Collection<Document>,
    pub files: Collection<Document>,
    pub stock: Collection<Document>,
    pub allocations: Collection<Document>,
    pub reservations: Collection<Document>,
    pub dashboard_orders: Collection<Document>,
    pub dashboard_products: Collection<Document>,
    pub dashboard_notes: Collection<Document>,
    pub dashboard_applied: Collection<Document>,
    databases: Vec<Database>,
}

impl Collections {
    fn new(client: &Client, prefix: &str) -> Self {
        let names = [
            "auth",
            "product",
            "inventory",
            "cart",
            "order",
            "payment",
            "notification",
            "seller_dashboard",
            "ai_buddy",
        ];
        let databases: Vec<Database> = names.iter().map(|name| client.database(&format!("{prefix}{name}"))).collect();
        let [_auth, product, inventory, _cart, _order, _payment, _notification, dashboard, _ai_buddy] =
            std::array::from_fn(|at| databases[at].clone());
        Self {
            counters: product.collection("counters"),
            files: product.collection("files"),
            stock: inventory.collection("stock"),
            allocations: inventory.collection("shares"),
            reservations: inventory.collection("reservations"),
            dashboard_orders: dashboard.collection("orders"),
            dashboard_products: dashboard.collection("products"),
            dashboard_notes: dashboard.collection("notes"),
            dashboard_applied: dashboard.collection("applied"),
            databases,
        }
    }

    /// The collections whose documents contain events, each with the leases of its database.
    pub(super) fn with_outbox(&self) -> Vec<Outbox> {
        let outbox = |(name, collection): (&'static str, &Collection<Document>)| {
            let leases = collection.client().database(&collection.namespace().db).collection("leases");
            Outbox { name, events: collection.clone(), leases }
        };
        [("inventory", &self.stock)].into_iter().map(outbox).collect()
    }

    /// The collection with the progress of a shop's transfer.
    pub(super) fn migration(&self) -> Collection<Document> {
        self.databases[0].collection("migration")
    }

    /// Which upgrades of stored documents are done.
    pub(super) fn upgrades(&self) -> Collection<Document> {
        self.databases[0].collection("upgrades")
    }

    /// All collections of documents that make up a shop.
    pub(super) fn all(&self) -> Vec<&Collection<Document>> {
        vec![
            &self.counters,
            &self.files,
            &self.stock,
            &self.allocations,
            &self.reservations,
            &self.dashboard_orders,
            &self.dashboard_products,
            &self.dashboard_notes,
            &self.dashboard_applied,
        ]
    }

    /// The leases for retrying parked messages.
    pub(super) fn parked_leases(&self) -> Collection<Document> {
        self.databases[6].collection("leases")
    }
}

/// A collection whose documents contain events.
pub(super) struct Outbox {
    pub name: &'static str,
    pub events: Collection<Document>,
    pub leases: Collection<Document>,
}

/// The open store.
pub(super) struct Engine {
    pub(super) collections: Collections,
    pub(super) written: Arc<Notify>,
    pub(super) sequence: Arc<Sequence>,
    pub(super) batcher: Arc<WriteBatcher>,
    pub(super) leases: Arc<Leases>,
    pub(super) on_events: OnEvents,
    keep_event: KeepEvent,
    pub(super) specs: Vec<&'static Spec>,
    /// By the name of the collection.
    places: HashMap<&'static str, Place>,
    /// Whether overflow documents with events were seen lately.
    pub(super) overflowed: Arc<AtomicBool>,
    /// Why this node has to stop.
    outdated: Arc<OnceLock<StoreError>>,
    deadline: Duration,
    permits: Arc<Semaphore>,
    /// When the server last accepted a check's write; `None` after a failed one.
    checked: Mutex<Option<Instant>>,
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

impl Engine {
    pub(super) async fn start(options: MongoOptions) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("mongo")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (uri, connections, deadline) = (options.uri.clone(), options.connections, options.deadline);
        let connected = runtime.spawn(async move {
            // The driver's errors may contain the address; these must not.
            let mut client = ClientOptions::parse(uri.expose_secret())
                .await
                .map_err(|_| StoreError::Unavailable("the address in mongo.uri is not one of MongoDB".to_owned()))?;
            client.app_name = Some("microbazaar".to_owned());
            client.server_selection_timeout = Some(SELECT_WITHIN.min(deadline));
            client.connect_timeout = Some(SELECT_WITHIN.min(deadline));
            client.max_pool_size = Some(connections);
            client.read_concern.get_or_insert_with(ReadConcern::local);
            let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
            client.write_concern = Some(majority);
            Client::with_options(client).map_err(|error| StoreError::Unavailable(error.to_string()))
        });
        let client = match connected.await.map_err(|error| StoreError::Unavailable(error.to_string())).flatten() {
            Ok(client) => client,
            Err(error) => {
                // As in `drop`.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let places = {
            let _runtime = runtime.enter();
            let place = |spec: &&'static Spec| {
                let database = format!("{}{}", options.database_prefix, spec.service.name().replace('-', "_"));
                let collection = client.database(&database).collection(spec.collection);
                let batcher = Batcher::start(collection.clone(), layout::unique_indexes(spec), options.fault.clone());
                let counters = client.database(&database).collection("counters");
                let feed = spec.feed.then(|| Feed::start(counters, spec.collection, options.fault.clone()));
                (spec.collection, Place { collection, batcher, feed })
            };
            options.documents.iter().map(place).collect()
        };
        let engine = Self {
            collections: Collections::new(&client, &options.database_prefix),
            specs: options.documents,
            places,
            overflowed: Arc::default(),
            outdated: Arc::default(),
            written: Arc::new(Notify::new()),
            sequence: Arc::new(Sequence::new()),
            batcher: Arc::new(WriteBatcher::default()),
            leases: Arc::new(Leases::new()),
            on_events: options.on_events,
            keep_event: options.keep_event,
            deadline,
            permits: Arc::new(Semaphore::new(options.in_flight)),
            checked: Mutex::new(None),
            runtime: Some(runtime),
        };
        engine.ping().await?;
        Ok(engine)
    }

    /// Runs `work` on the driver's threads, to its end even if the caller goes away.
    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if let Some(outdated) = self.outdated.get() {
            return Err(outdated.clone().into());
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| StoreError::Busy)?;
        let runtime = self.runtime.as_ref().ok_or_else(closed)?;
        let deadline = self.deadline;
        let task = runtime.spawn(async move {
            let answer = tokio::time::timeout(deadline, work).await;
            drop(permit);
            answer
        });
        match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_elapsed)) => Err(StoreError::Deadline.into()),
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }

    /// The place of the documents of a type.
    pub(super) fn place(&self, of: &Spec) -> Result<Place, StoreError> {
        self.place_named(of.collection)
    }

    /// As [`Engine::place`], by the collection's name.
    pub(super) fn place_named(&self, collection: &str) -> Result<Place, StoreError> {
        let place = self.places.get(collection).cloned();
        place.ok_or_else(|| StoreError::Corrupt(format!("there is no collection {collection}")))
    }

    /// Makes this node stop once a newer program has changed the layout.
    pub(super) fn follow_layout(&self) {
        let (notes, outdated) = (self.collections.upgrades(), Arc::clone(&self.outdated));
        if let Some(runtime) = &self.runtime {
            runtime.spawn(layout::follow(notes, move |error| {
                tracing::error!(%error, "this node stops because it may no longer use the database");
                outdated.get_or_init(|| error);
            }));
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let database = self.collections.databases.first().cloned().ok_or_else(closed)?;
        self.run(async move {
            database.run_command(doc! { "ping": 1 }).await.map_err(|error| Failed::read(&error))?;
            Ok(())
        })
        .await
    }

    /// Whether the server answers and accepts writes, checked with a small write every other second.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.ping().await?;
        let database = self.collections.databases.first().ok_or_else(closed)?;
        let writes = database.collection::<Document>(WRITE_CHECKS);
        if self.checked.lock().is_some_and(|at| at.elapsed() < CHECKED_FOR) {
            return Ok(());
        }
        let now = doc! { "$set": { "at": Timestamp::now().as_microsecond() } };
        let taken: Result<(), StoreError> = self.run(async move { codec::upsert(&writes, "all", now).await }).await;
        *self.checked.lock() = taken.is_ok().then(Instant::now);
        taken
    }

    /// The collections that contain waiting events.
    pub(super) fn outboxes(&self) -> Vec<Outbox> {
        let of_specs = self.specs.iter().filter(|spec| spec.publishes).filter_map(|spec| {
            let events = self.places.get(spec.collection)?.collection.clone();
            let leases = events.client().database(&events.namespace().db).collection("leases");
            Some(Outbox { name: spec.service.name(), events, leases })
        });
        self.collections.with_outbox().into_iter().chain(of_specs).collect()
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        for outbox in self.outboxes() {
            let leases = Arc::clone(&self.leases);
            self.run(async move { leases.give_back(&outbox.leases).await }).await?;
        }
        let (leases, parked) = (Arc::clone(&self.leases), self.collections.parked_leases());
        self.run(async move { leases.give_back(&parked).await }).await
    }

    pub(super) async fn drop_databases(&self) -> Result<(), StoreError> {
        for database in self.collections.databases.clone() {
            self.run(async move { database.drop().await.map_err(|error| Failed::read(&error)) }).await?;
        }
        Ok(())
    }

    /// Whether events with this name are stored.
    pub(super) fn keeps(&self, name: &'static str) -> bool {
        (self.keep_event)(name)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Dropping a runtime blocks, which is not allowed on another runtime's thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
