//! Persistence: a store for each aggregate, and the adapters behind them.
//!
//! A document's `version` counts its writes: 0 means never stored. `save` takes the document with the version that
//! was read, writes it with the next version if no other write came in between, together with the events it causes,
//! in one atomic write, and returns the new version. It returns only after the write is on disk.
//!
//! **Invariant:** no caller sees a transaction, a connection or a query; everything that has to be atomic is one
//! method here. One conformance suite (`tests/it/conformance`) checks every adapter.

pub mod accounts;
pub mod carts;
pub mod cluster;
pub mod conversations;
pub mod dashboard;
pub mod document;
pub mod images;
pub mod imports;
pub mod inventory;
pub mod mailbox;
pub mod mongo;
pub mod orders;
pub mod outbox;
pub mod payments;
pub mod products;
mod sequence;
pub mod sessions;
pub mod sqlite;
pub mod transfer;
pub mod webhooks;
pub mod wishlists;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::document::Document;
use crate::{
    domain::{
        Timestamp, cart::Cart, conversation::Conversation, import::Import, payment::Payment, product::Product,
        user::User,
    },
    runtime::calls::CallError,
};

pub use accounts::AccountStore;
pub use carts::CartStore;
pub use cluster::ClusterStore;
pub use conversations::ConversationStore;
pub use dashboard::DashboardStore;
pub use images::ImageLog;
pub use imports::ImportStore;
pub use inventory::StockStore;
pub use mailbox::MailboxStore;
pub use orders::OrderStore;
pub use outbox::OutboxStore;
pub use payments::{PaymentStore, StoredReport};
pub use products::ProductStore;
pub use webhooks::WebhookStore;

/// Every type of document, each declared beside its aggregate. Layout, transfer and checks cover the types in this
/// list.
pub(crate) static DOCUMENTS: &[&document::Spec] = &[
    User::SPEC,
    accounts::DeadToken::SPEC,
    Product::SPEC,
    Cart::SPEC,
    Conversation::SPEC,
    conversations::TokensSpent::SPEC,
    orders::StoredOrder::SPEC,
    Payment::SPEC,
    payments::KeptReport::SPEC,
    payments::SandboxPage::SPEC,
    Import::SPEC,
    imports::ImportRows::SPEC,
    mailbox::StoredMail::SPEC,
    images::ImageRecord::SPEC,
    webhooks::StoredWebhook::SPEC,
    webhooks::StoredDelivery::SPEC,
    outbox::StoredParked::SPEC,
    wishlists::Wishlist::SPEC,
    sessions::Session::SPEC,
];

/// The number of the declared layout. Every change of an index increments it, so that nodes with different layouts
/// never write to one database.
pub(crate) const LAYOUT: i64 = 5;

/// Decides by an event's name whether any consumer wants it.
pub type KeepEvent = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;

/// A time as both adapters store it: in microseconds, rounded up but within the valid range, so that what is due for
/// the store is due for the domain too.
fn micros_up(time: Timestamp) -> i64 {
    let micros = time.as_microsecond();
    let cut_off = time.as_nanosecond() > i128::from(micros) * 1_000;
    micros.saturating_add(i64::from(cut_off)).min(Timestamp::MAX.as_second() * 1_000_000)
}

/// Why a call to the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another write came in between: read again and decide again.
    #[error("the document was changed in between")]
    Conflict,
    /// Too many calls are waiting; nothing was written.
    #[error("the store is busy")]
    Busy,
    /// The deadline passed; whether it was written is unknown.
    #[error("the store did not answer in time")]
    Deadline,
    /// The store is unavailable; nothing was written.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A document or the data file is corrupt.
    #[error("stored data is unreadable: {0}")]
    Corrupt(String),
}

impl<E> From<StoreError> for CallError<E> {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Busy => Self::Busy("document".into()),
            StoreError::Unavailable(_) => Self::Unavailable("document".into()),
            StoreError::Deadline => Self::OutcomeUnknown("document".into()),
            StoreError::Corrupt(_) => Self::Internal(error.to_string()),
        }
    }
}

/// A page of a list and the length of the whole list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// How many rows there are in all.
    pub total: u64,
}

/// Every aggregate's store, of one adapter.
#[derive(Clone)]
pub struct Stores {
    /// What stores documents of any type.
    pub backend: Arc<dyn document::Backend>,
    /// Users and dead tokens.
    pub accounts: AccountStore,
    pub products: ProductStore,
    /// Imports of products.
    pub imports: ImportStore,
    /// Stock and reservations.
    pub stock: Arc<dyn StockStore>,
    pub carts: CartStore,
    /// Orders and their idempotency keys.
    pub orders: OrderStore,
    /// Payments, reports of the gateway, and the sandbox gateway's records.
    pub payments: PaymentStore,
    /// The seller dashboard's read model.
    pub dashboard: Arc<dyn DashboardStore>,
    /// Mails.
    pub mailbox: MailboxStore,
    /// Events that wait for delivery.
    pub outbox: Arc<dyn OutboxStore>,
    /// Webhooks and their deliveries.
    pub webhooks: WebhookStore,
    /// What is to be done about pictures that another program hosts.
    pub pictures: ImageLog,
    /// Conversations with the assistant.
    pub conversations: ConversationStore,
    /// What nodes exchange, if the store is one that many nodes use.
    pub cluster: Option<Arc<dyn ClusterStore>>,
}

/// Logs that two accounts turned out to have the same e-mail address, which the older one keeps. Operators find both
/// under `/admin/users` as well.
fn log_shared_email(keeper: &User, other: &User) {
    tracing::warn!(
        target: crate::telemetry::REPORT,
        {
            keeper.id = %keeper.id, keeper.username = %keeper.username,
            other.id = %other.id, other.username = %other.username
        },
        "two accounts have one e-mail address: the older keeps it, the other logs in by user name and is asked for another"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes with different layouts must not write to one database, so a change of an index has to change the number
    /// too.
    #[test]
    fn each_layout_has_a_number_of_its_own() {
        let layouts = DOCUMENTS.iter().map(|spec| format!("{}: {}", spec.collection, spec.layout()));
        let expected = "users: email!,username!,role\n\
                        dead_tokens: expiry,killed\n\
                        products: seller,#\n\
                        carts: user!\n\
                        conversations: user,age\n\
                        tokens_spent: day\n\
                        orders: cart!,idempotency!,number!,user_status,status,due\n\
                        payments: order!,razorpay_order!,due,user,gateway_payment\n\
                        webhooks_seen: due,age\n\
                        sandbox: \n\
                        imports: due,seller\n\
                        import_rows: \n\
                        mails: number!,state,free,user,about\n\
                        pictures: due\n\
                        webhook_endpoints: place!,state,due\n\
                        webhook_deliveries: free,sending,log,age,person\n\
                        parked: number!,due,dead\n\
                        wishlists: \n\
                        sessions: user,expiry";
        assert_eq!((LAYOUT, layouts.collect::<Vec<_>>().join("\n").as_str()), (5, expected));
    }
}
