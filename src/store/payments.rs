//! Payments, the gateway's reports, and the sandbox gateway's own books.

use async_trait::async_trait;
use jiff::SignedDuration;

use super::StoreError;
use crate::domain::{
    Timestamp,
    event::Envelope,
    ids::{OrderId, PaymentId},
    payment::Payment,
};

/// A report of the gateway, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReport {
    /// The gateway's id of it, by which it is applied once.
    pub id: String,
    /// Raw; its signature was good.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// How often working on it failed.
    pub attempts: u32,
}

/// A report, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// The report; its body is empty where it was only noted that it came.
    pub report: StoredReport,
    /// When to work on it; never, once it is done.
    pub due_at: Option<Timestamp>,
    /// What became of it, once it is done.
    pub outcome: Option<String>,
}

/// How long a report is known. The gateway repeats one for a day at most.
pub const REPORT_KNOWN_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Keeps payments.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// Writes a payment; see the module for versions.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] with `order` or `razorpayOrderId` when there is another
    /// payment with that; `Conflict`.
    async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, StoreError>;

    /// The payment of an id.
    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError>;

    /// The payment of an order.
    async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError>;

    /// The payment of a gateway order.
    async fn by_razorpay_order(&self, razorpay_order_id: &str) -> Result<Option<Payment>, StoreError>;

    /// Payments with something to do at `now` (`due_at`), longest due first, at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>, StoreError>;

    /// All payments with an id above `after`, by id, at most `limit`.
    async fn all(&self, after: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError>;

    /// The payment whose order was paid by this payment of the gateway.
    async fn by_gateway_payment(&self, payment_id: &str) -> Result<Option<Payment>, StoreError>;

    /// Stores a report of the gateway, to be worked on by somebody else from `due_at` on;
    /// `false` when it was stored before. Ninety days later it is forgotten.
    async fn keep_report(&self, report: &StoredReport, due_at: Timestamp) -> Result<bool, StoreError>;

    /// Reports to work on at `now`, longest due first, at most `limit`.
    async fn due_reports(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredReport>, StoreError>;

    /// Working on a report failed for now.
    async fn report_later(&self, id: &str, attempts: u32, due_at: Timestamp) -> Result<(), StoreError>;

    /// Nothing is left to do for a report; `outcome` says what became of it.
    async fn report_done(&self, id: &str, outcome: &str) -> Result<(), StoreError>;

    /// Writes a page of the sandbox gateway's books: any JSON under a key.
    async fn put_sandbox(&self, key: &str, page: &serde_json::Value) -> Result<(), StoreError>;

    /// A page of the sandbox gateway's books.
    async fn get_sandbox(&self, key: &str) -> Result<Option<serde_json::Value>, StoreError>;
}
