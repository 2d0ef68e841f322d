//! Payments, the gateway's reports, and the sandbox gateway's own records.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    StoreError,
    document::{Backend, Collection, Document, Find, Index, NoUniqueKey, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, PaymentId, UserId},
        payment::Payment,
    },
};

/// The unique keys of a payment. Neither changes once it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentKey {
    Order,
    /// The gateway's order.
    RazorpayOrder,
}

const ORDER: Index<Payment> = Index::unique("order", PaymentKey::Order, |of| key(of.order));
const RAZORPAY_ORDER: Index<Payment> =
    Index::unique("razorpay_order", PaymentKey::RazorpayOrder, |of| key(&of.razorpay_order_id));
const DUE: Index<Payment> = Index::new("due", |of| of.due_at.and_then(key));
const USER: Index<Payment> = Index::new("user", |of| key(of.contact.user));
const GATEWAY_PAYMENT: Index<Payment> = Index::new("gateway_payment", |of| of.payment_id.as_ref().and_then(key));

impl Document for Payment {
    type Unique = PaymentKey;

    const COLLECTION: &'static str = "payments";
    const SERVICE: Service = Service::Payment;
    const INDEXES: &'static [Index<Self>] = &[ORDER, RAZORPAY_ORDER, DUE, USER, GATEWAY_PAYMENT];
    const PUBLISHES: bool = true;

    stored_as!(self, PaymentId = self.id, self.version);
}

/// For callers that change a payment without changing its unique keys.
impl From<SaveError<PaymentKey>> for StoreError {
    fn from(error: SaveError<PaymentKey>) -> Self {
        match error {
            SaveError::Duplicate(_) => Self::Conflict,
            SaveError::Store(error) => error,
        }
    }
}

/// A report of the gateway as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredReport {
    /// The gateway's id of the report; it is applied once.
    pub id: String,
    /// The raw body, whose signature was valid. Empty once it is done.
    #[serde(with = "hex_bytes")]
    pub body: Vec<u8>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// How many attempts to process it failed.
    pub attempts: u32,
}

/// A report and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptReport {
    report: StoredReport,
    /// When to process it; `None` once it is done.
    due_at: Option<Timestamp>,
    /// Its outcome, once it is done.
    outcome: Option<String>,
    #[serde(skip)]
    version: u64,
}

const REPORT_DUE: Index<KeptReport> = Index::new("due", |of| of.due_at.and_then(key));
/// For reports that are done.
const REPORT_AGE: Index<KeptReport> =
    Index::new("age", |of| if of.due_at.is_none() { key(of.report.received_at) } else { None });

impl Document for KeptReport {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "webhooks_seen";
    const SERVICE: Service = Service::Payment;
    const INDEXES: &'static [Index<Self>] = &[REPORT_DUE, REPORT_AGE];

    stored_as!(self, String = self.report.id.clone(), self.version);
}

/// A record of the sandbox gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SandboxPage {
    key: String,
    /// Any JSON as text, so that no input becomes a field name.
    page: String,
    #[serde(skip)]
    version: u64,
}

impl Document for SandboxPage {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "sandbox";
    const SERVICE: Service = Service::Payment;
    const INDEXES: &'static [Index<Self>] = &[];

    stored_as!(self, String = self.key.clone(), self.version);
}

/// How long a report is kept. The gateway repeats a report for at most a day.
const REPORT_KNOWN_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Keeps payments.
#[derive(Clone)]
pub struct PaymentStore {
    payments: Collection<Payment>,
    reports: Collection<KeptReport>,
    sandbox: Collection<SandboxPage>,
}

impl PaymentStore {
    /// The payments in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            payments: Collection::new(Arc::clone(&backend)),
            reports: Collection::new(Arc::clone(&backend)),
            sandbox: Collection::new(backend),
        }
    }

    /// Writes a payment; see the module `store` for versions.
    ///
    /// # Errors
    /// [`SaveError::Duplicate`] when there is another payment with that key; `Conflict`.
    pub async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, SaveError<PaymentKey>> {
        self.payments.save(payment, events).await
    }

    /// The payment of an id.
    pub async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.payments.get(id).await
    }

    /// The payment of an order.
    pub async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.payments.first(ORDER.of(order)).await
    }

    /// The payment of a gateway order.
    pub async fn by_razorpay_order(&self, razorpay_order_id: &str) -> Result<Option<Payment>, StoreError> {
        self.payments.first(RAZORPAY_ORDER.of(razorpay_order_id)).await
    }

    /// Payments that are due at `now` (`due_at`), the longest due first, at most `limit`.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        let due = self.payments.find(DUE.due(now).limit(limit)).await?;
        Ok(due.into_iter().map(|payment| payment.id).collect())
    }

    /// All payments with an id above `after`, by id, at most `limit`.
    pub async fn all(&self, after: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.payments.find(Find::by_id().after(after).limit(limit)).await
    }

    /// Payments with an id below `before`, newest first, at most `limit`.
    pub async fn newest(&self, before: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.payments.find(Find::by_id().before(before).reversed().limit(limit)).await
    }

    /// A user's payments, in no order.
    pub async fn of_user(&self, user: UserId, skip: u64, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.payments.find(USER.of(user).skip(skip).limit(limit)).await
    }

    /// Removes a user's contact data from a payment.
    pub async fn forget_buyer(&self, payment: PaymentId, user: UserId) -> Result<(), StoreError> {
        let forgotten = self.payments.change(payment, |payment| payment.forget_buyer(user).then_some(()));
        Ok(forgotten.await.map(drop)?)
    }

    /// The payment that this gateway payment belongs to.
    pub async fn by_gateway_payment(&self, payment_id: &str) -> Result<Option<Payment>, StoreError> {
        self.payments.first(GATEWAY_PAYMENT.of(payment_id)).await
    }

    /// Stores a report of the gateway, to be processed by a worker from `due_at` on; `false` when it was stored
    /// before.
    pub async fn keep_report(&self, report: &StoredReport, due_at: Timestamp) -> Result<bool, StoreError> {
        let kept = KeptReport { report: report.clone(), due_at: Some(due_at), outcome: None, version: 0 };
        match self.reports.save(&kept, &[]).await {
            Err(SaveError::Store(StoreError::Conflict)) => Ok(false),
            kept => Ok(kept.map(|_| true)?),
        }
    }

    /// Reports that are due at `now`, the longest due first, at most `limit`.
    pub async fn due_reports(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredReport>, StoreError> {
        let due = self.reports.find(REPORT_DUE.due(now).limit(limit)).await?;
        Ok(due.into_iter().map(|kept| kept.report).collect())
    }

    /// Records a failed attempt to process a report. A report that another process has finished meanwhile stays done.
    pub async fn report_later(&self, id: &str, attempts: u32, due_at: Timestamp) -> Result<(), StoreError> {
        let later = self.reports.change(id.to_owned(), |kept| {
            kept.due_at?;
            kept.report.attempts = attempts;
            kept.due_at = Some(due_at);
            Some(())
        });
        Ok(later.await.map(|_| ())?)
    }

    /// Marks a report as done, with its `outcome`. Its body, which names the payer, is deleted.
    pub async fn report_done(&self, id: &str, outcome: &str) -> Result<(), StoreError> {
        let done = self.reports.change(id.to_owned(), |kept| {
            kept.outcome = Some(outcome.to_owned());
            kept.due_at = None;
            kept.report.body.clear();
            Some(())
        });
        Ok(done.await.map(|_| ())?)
    }

    /// Deletes up to `limit` done reports that arrived ninety days before `now`; returns how many.
    pub async fn forget_reports(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = now.saturating_sub(REPORT_KNOWN_FOR).unwrap_or(Timestamp::MIN);
        self.reports.delete_found(REPORT_AGE.all().below(before).limit(limit)).await
    }

    /// Writes a record of the sandbox gateway: any JSON under a key.
    pub async fn put_sandbox(&self, key: &str, page: &Value) -> Result<(), StoreError> {
        let page = SandboxPage { key: key.to_owned(), page: page.to_string(), version: 0 };
        Ok(self.sandbox.put(page).await?)
    }

    /// A record of the sandbox gateway.
    pub async fn get_sandbox(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let page = self.sandbox.get(key.to_owned()).await?;
        page.map(|page| serde_json::from_str(&page.page).map_err(|error| StoreError::Corrupt(error.to_string())))
            .transpose()
    }
}

/// Arbitrary bytes as hexadecimal digits.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
