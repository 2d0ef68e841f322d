//! Payments, the gateway's reports, and the sandbox gateway's own books.

use async_trait::async_trait;
use bson::{Binary, Document, doc, spec::BinarySubtype};

use super::{
    codec::{self, Failed},
    engine::Engine,
    upgrades,
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, PaymentId},
        payment::{Changed, Payment},
    },
    store::{PaymentStore, REPORT_KNOWN_FOR, StoreError, StoredReport, payments::KeptReport},
};

/// Payments that are read at once when all with refunds are.
const UPGRADE_PAGE: i64 = 1_000;
/// How often one of them is read anew when others were faster.
const UPGRADE_TRIES: u32 = 16;

#[async_trait]
impl PaymentStore for Engine {
    async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, StoreError> {
        let (payments, events) = (self.collections.payments.clone(), self.prepare(events)?);
        let (id, version, woken) = (codec::oid(payment.id.bytes()), payment.version, !events.is_empty());
        let fields = fields(payment)?;
        let saved = self.run(async move { codec::save(&payments, id, version, fields, events).await }).await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.payment(doc! { "_id": codec::oid(id.bytes()) }).await
    }

    async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.payment(doc! { "order": codec::oid(order.bytes()) }).await
    }

    async fn by_razorpay_order(&self, razorpay_order_id: &str) -> Result<Option<Payment>, StoreError> {
        self.payment(doc! { "razorpayOrderId": razorpay_order_id }).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        let payments = self.collections.payments.clone();
        self.run(async move {
            let due = doc! { "dueAt": { "$lte": now.as_microsecond() } };
            let find = payments.find(due).sort(doc! { "dueAt": 1 }).limit(limit.into()).projection(doc! { "_id": 1 });
            codec::all(find, |row| codec::id(row, "_id").map(PaymentId::from_bytes)).await
        })
        .await
    }

    async fn all(&self, after: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        let payments = self.collections.payments.clone();
        self.run(async move {
            let filter = after.map_or_else(Document::new, |id| doc! { "_id": { "$gt": codec::oid(id.bytes()) } });
            codec::all(payments.find(filter).sort(doc! { "_id": 1 }).limit(limit.into()), payment).await
        })
        .await
    }

    async fn by_gateway_payment(&self, payment_id: &str) -> Result<Option<Payment>, StoreError> {
        self.payment(doc! { "paymentId": payment_id }).await
    }

    async fn keep_report(&self, report: &StoredReport, due_at: Timestamp) -> Result<bool, StoreError> {
        let (reports, report) = (self.collections.webhooks_seen.clone(), report.clone());
        let row = report_document(KeptReport { report, due_at: Some(due_at), outcome: None });
        self.run(async move {
            match reports.insert_one(row).await {
                Ok(_) => Ok(true),
                Err(error) if codec::is_duplicate(&error) => Ok(false),
                Err(error) => Err(Failed::write(&error)),
            }
        })
        .await
    }

    async fn due_reports(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredReport>, StoreError> {
        let reports = self.collections.webhooks_seen.clone();
        self.run(async move {
            let due = doc! { "dueAt": { "$lte": now.as_microsecond() } };
            codec::all(reports.find(due).sort(doc! { "dueAt": 1 }).limit(limit.into()), report).await
        })
        .await
    }

    async fn report_later(&self, id: &str, attempts: u32, due_at: Timestamp) -> Result<(), StoreError> {
        // One that another process has done since stays done.
        let open = doc! { "_id": id, "dueAt": { "$exists": true } };
        let later = doc! { "$set": { "attempts": i64::from(attempts), "dueAt": codec::micros_up(due_at) } };
        self.change_report(open, later).await
    }

    async fn report_done(&self, id: &str, outcome: &str) -> Result<(), StoreError> {
        let done = doc! { "$set": { "outcome": outcome }, "$unset": { "dueAt": "" } };
        self.change_report(doc! { "_id": id }, done).await
    }

    async fn put_sandbox(&self, key: &str, page: &serde_json::Value) -> Result<(), StoreError> {
        let (sandbox, key, page) = (self.collections.sandbox.clone(), key.to_owned(), codec::text(page)?);
        self.run(async move {
            let put = sandbox.update_one(doc! { "_id": key }, doc! { "$set": { "json": page } }).upsert(true);
            put.await.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }

    async fn get_sandbox(&self, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let (sandbox, key) = (self.collections.sandbox.clone(), key.to_owned());
        self.run(async move { codec::first(&sandbox, doc! { "_id": key }, |row| codec::json(row, "json")).await }).await
    }
}

impl Engine {
    async fn change_report(&self, which: Document, change: Document) -> Result<(), StoreError> {
        let reports = self.collections.webhooks_seen.clone();
        self.run(
            async move { reports.update_one(which, change).await.map(|_| ()).map_err(|error| Failed::write(&error)) },
        )
        .await
    }

    async fn payment(&self, filter: Document) -> Result<Option<Payment>, StoreError> {
        let payments = self.collections.payments.clone();
        self.run(async move { codec::first(&payments, filter, payment).await }).await
    }
}

/// Marks every payment with a refund, so that its order hears of it, as the embedded store's schema step does;
/// once. An order that hears of a refund twice is as before, so that several nodes may do this at once.
pub(super) async fn tell_refunds_anew(engine: &Engine) -> Result<(), StoreError> {
    const NOTE: &str = "refunds";
    if upgrades::is_noted(engine, NOTE).await? {
        return Ok(());
    }
    let mut after = None;
    loop {
        let payments = engine.collections.payments.clone();
        let page: Vec<Payment> = engine
            .run(async move {
                // Any text: the gateway took the refund.
                let mut filter = doc! { "doc.refunds.gatewayId": { "$gt": "" } };
                if let Some(last) = after {
                    filter.insert("_id", doc! { "$gt": last });
                }
                codec::all(payments.find(filter).sort(doc! { "_id": 1 }).limit(UPGRADE_PAGE), payment).await
            })
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(codec::oid(last.id.bytes()));
        for payment in page {
            tell_one_anew(engine, payment).await?;
        }
    }
    upgrades::note(engine, NOTE).await
}

async fn tell_one_anew(engine: &Engine, mut payment: Payment) -> Result<(), StoreError> {
    for _ in 0..UPGRADE_TRIES {
        if payment.tell_refunds_anew(Timestamp::now()) == Changed::No {
            return Ok(());
        }
        match PaymentStore::save(engine, &payment, &[]).await {
            Err(StoreError::Conflict) => {}
            saved => return saved.map(|_| ()),
        }
        // Somebody wrote meanwhile.
        match PaymentStore::get(engine, payment.id).await? {
            Some(read) => payment = read,
            None => return Ok(()),
        }
    }
    Err(StoreError::Conflict)
}

/// The fields of a payment besides its id, version and events.
pub(super) fn fields(payment: &Payment) -> Result<Document, StoreError> {
    Ok(doc! {
        "order": codec::oid(payment.order.bytes()),
        "razorpayOrderId": &payment.razorpay_order_id,
        "dueAt": payment.due_at.map(codec::micros_up),
        "paymentId": &payment.payment_id,
        "doc": codec::document(payment)?,
    })
}

/// A report and what became of it.
pub(super) fn report_document(kept: KeptReport) -> Document {
    let KeptReport { report, due_at, outcome } = kept;
    let until = codec::date(report.received_at.saturating_add(REPORT_KNOWN_FOR).unwrap_or(Timestamp::MAX));
    let mut document = doc! {
        "_id": report.id,
        "seenAt": report.received_at.as_microsecond(),
        "forgetAt": until,
        "body": Binary { subtype: BinarySubtype::Generic, bytes: report.body },
        "attempts": i64::from(report.attempts),
    };
    if let Some(due_at) = due_at {
        document.insert("dueAt", codec::micros_up(due_at));
    }
    if let Some(outcome) = outcome {
        document.insert("outcome", outcome);
    }
    document
}

pub(super) fn payment(row: &Document) -> Result<Payment, StoreError> {
    Ok(Payment { version: codec::count(row, "version")?, ..codec::read(row)? })
}

fn report(row: &Document) -> Result<StoredReport, StoreError> {
    let id = codec::string(row, "_id")?.to_owned();
    let body = row.get_binary_generic("body").map_err(codec::corrupt)?.clone();
    let attempts = u32::try_from(codec::count(row, "attempts")?).unwrap_or(u32::MAX);
    Ok(StoredReport { id, body, received_at: codec::time(codec::whole(row, "seenAt")?)?, attempts })
}
