//! The adapter for MongoDB: one database for each service.
//!
//! Every write is one conditional write of one document, with the version that was read in its filter and its events
//! in the document itself (`outbox`), so that a standalone server is enough. A change that spans documents (a
//! reservation over several products) is a small state machine in the reservation's document, whose steps are
//! idempotent (`stock`).
//!
//! A domain document is stored in `doc` with the program's own field names; what other programs sent is stored as
//! JSON text, so that no input is ever an operator or a field name. Times are microseconds since 1970 and money is
//! minor units, both integers.
//!
//! When the server is unavailable or slow, calls end in less than three seconds with [`StoreError::Unavailable`], or
//! with [`StoreError::Deadline`] when the write may have happened; the driver reconnects by itself.
//!
//! **Invariant:** an answered write is in the majority's journal.

mod batch;
mod cluster;
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
mod stock;
mod upgrades;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use self::engine::Engine;
pub use self::import::{Import, ImportError, TransferState};
use super::{
    AccountStore, CartStore, ConversationStore, DOCUMENTS, ImageLog, ImportStore, KeepEvent, MailboxStore, OrderStore,
    PaymentStore, ProductStore, StoreError, Stores, WebhookStore, document::Spec, outbox::DocumentOutbox,
};

/// The adapter's options.
#[derive(Clone)]
pub struct MongoOptions {
    /// The server's address, with user and password: `mongodb://` or `mongodb+srv://`.
    pub uri: SecretString,
    /// The prefix of each service's database name.
    pub database_prefix: String,
    /// How long a caller waits for an answer.
    pub deadline: Duration,
    /// The most calls in progress; more are refused as busy.
    pub in_flight: usize,
    /// The most connections.
    pub connections: u32,
    /// Which events are stored in the outbox.
    pub keep_event: KeepEvent,
    /// The types of documents that are stored: those of the shop, and those of tests.
    pub documents: Vec<&'static Spec>,
    /// Called when events were written, to notify other nodes.
    pub on_events: OnEvents,
    /// A fault-injection point: by panicking here a test makes a batch of writes fail.
    pub fault: Option<Fault>,
}

/// Called before each batch of writes.
pub type Fault = Arc<dyn Fn() + Send + Sync>;

/// Called after a write; must not block.
pub type OnEvents = Arc<dyn Fn() + Send + Sync>;

impl MongoOptions {
    /// The defaults for one node.
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
    /// Connects, creates missing indexes, and upgrades what earlier versions stored.
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
        upgrades::notify_refunds_again(&engine).await?;
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
            cluster: Some(self.engine.clone()),
            webhooks: WebhookStore::new(self.engine.clone()),
        }
    }

    /// Whether the server answers now.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.engine.check().await
    }

    /// Releases the leases, so that another node takes over at once.
    ///
    /// # Errors
    /// When the server is unavailable; then another node takes over some seconds later.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.engine.close().await
    }

    /// Drops every database with this prefix; for tests.
    ///
    /// # Errors
    /// When the server is unavailable.
    pub async fn drop_databases(&self) -> Result<(), StoreError> {
        self.engine.drop_databases().await
    }
}
