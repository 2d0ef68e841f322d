//! The adapter for MongoDB: one database a service.
//!
//! Every write is one conditional write of one document, with the version that was read in
//! its filter and its events in the document itself (`outbox`), so that a standalone server
//! is enough. What spans documents (a reservation over several products) is a small state
//! machine in the reservation's document, each step of which may be repeated (`stock`).
//!
//! A document that the domain made stands under `doc` with field names of our own making;
//! what other programs sent is kept as JSON text, so that no input is ever an operator or a
//! field name. Times are microseconds since 1970, money is minor units: integers both.
//!
//! The server away or slow: [`StoreError::Unavailable`], or [`StoreError::Deadline`] when the
//! write may have envelope, in less than three seconds; the driver finds it again by itself.
//!
//! **Invariant:** an answered write is in the majority's journal.

mod batch;
mod codec;
mod dashboard;
mod documents;
mod engine;
mod feed;
mod idempotency;
mod identity;
mod import;
mod indexes;
mod layout;
mod leases;
mod legacy;
mod outbox;
mod overflow;
mod serve;
mod shared;
mod stock;
mod upgrades;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use self::engine::Engine;
pub use self::import::{Begun, Import, ImportError};
use super::{
    AccountStore, CartStore, ConversationStore, DOCUMENTS, ImageLog, ImportStore, KeepEvent, MailboxStore, OrderStore,
    PaymentStore, ProductStore, StoreError, Stores, WebhookStore, document::Spec, outbox::DocumentOutbox,
};

/// How the adapter runs.
#[derive(Clone)]
pub struct MongoOptions {
    /// Where the server is, with user and password: `mongodb://` or `mongodb+srv://`.
    pub uri: SecretString,
    /// Begins the name of each service's database.
    pub database_prefix: String,
    /// How long a caller waits for an answer.
    pub deadline: Duration,
    /// How many calls are on their way at most; more are refused as busy.
    pub in_flight: usize,
    /// How many connections at most.
    pub connections: u32,
    /// Which events are kept for the outbox.
    pub keep_event: KeepEvent,
    /// The types of documents that are stored; besides those of the shop, those of tests.
    pub documents: Vec<&'static Spec>,
    /// Is called when events were written, for other nodes to know.
    pub on_events: OnEvents,
    /// A fault-injection point: by panicking here a test makes a batch of writes fail.
    pub fault: Option<Fault>,
}

/// Called before each batch of writes.
pub type Fault = Arc<dyn Fn() + Send + Sync>;

/// Is called after a write; it does not wait.
pub type OnEvents = Arc<dyn Fn() + Send + Sync>;

impl MongoOptions {
    /// What suits one node.
    #[must_use]
    pub fn new(uri: SecretString, database_prefix: impl Into<String>) -> Self {
        Self {
            uri,
            database_prefix: database_prefix.into(),
            deadline: Duration::from_millis(2_500),
            in_flight: 4_096,
            connections: 64,
            keep_event: Arc::new(|_| true),
            documents: DOCUMENTS.to_vec(),
            on_events: Arc::new(|| {}),
            fault: None,
        }
    }
}

/// A store in MongoDB. Clones share it.
#[derive(Clone)]
pub struct MongoStore {
    engine: Arc<Engine>,
}

impl MongoStore {
    /// Connects, makes the indexes that are not there, and brings what earlier versions stored to the form of now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the address is wrong, the server away, or a shop is being
    /// moved there.
    pub async fn open(options: MongoOptions) -> Result<Self, StoreError> {
        let engine = Arc::new(Engine::start(options).await?);
        import::expect_whole(&engine).await?;
        indexes::ensure(&engine).await?;
        identity::upgrade(&engine).await?;
        layout::ensure(&engine).await?;
        engine.follow_layout();
        upgrades::tell_refunds_anew(&engine).await?;
        Ok(Self { engine })
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
            shared: Some(self.engine.clone()),
            webhooks: WebhookStore::new(self.engine.clone()),
        }
    }

    /// Whether the server answers now.
    ///
    /// # Errors
    /// What keeps it from doing so.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.engine.check().await
    }

    /// Lets another node carry on what this one did, at once.
    ///
    /// # Errors
    /// When the server is away; then another node carries on some seconds later.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.engine.close().await
    }

    /// Removes every database of this prefix; for tests.
    ///
    /// # Errors
    /// When the server is away.
    pub async fn drop_databases(&self) -> Result<(), StoreError> {
        self.engine.drop_databases().await
    }
}
