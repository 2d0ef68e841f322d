//! Payments, the webhooks that were worked on, and the sandbox gateway's own books.

use async_trait::async_trait;
use bson::{Document, doc};
use jiff::SignedDuration;

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, PaymentId},
        payment::Payment,
    },
    store::{PaymentStore, StoreError},
};

/// How long a webhook is known. Gateways repeat one for a day at most.
const REMEMBER: SignedDuration = SignedDuration::from_hours(90 * 24);

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

    async fn remember_webhook(&self, event_id: &str, now: Timestamp) -> Result<(), StoreError> {
        let (webhooks, event_id) = (self.collections.webhooks_seen.clone(), event_id.to_owned());
        let seen = doc! { "$setOnInsert": seen(now) };
        self.run(async move {
            match webhooks.update_one(doc! { "_id": event_id }, seen).upsert(true).await {
                Err(error) if !codec::is_duplicate(&error) => Err(Failed::write(&error)),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn knows_webhook(&self, event_id: &str) -> Result<bool, StoreError> {
        let (webhooks, event_id) = (self.collections.webhooks_seen.clone(), event_id.to_owned());
        self.run(async move { Ok(codec::counted(&webhooks, doc! { "_id": event_id }).await? > 0) }).await
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
    async fn payment(&self, filter: Document) -> Result<Option<Payment>, StoreError> {
        let payments = self.collections.payments.clone();
        self.run(async move { codec::first(&payments, filter, payment).await }).await
    }
}

/// The fields of a payment besides its id, version and events.
pub(super) fn fields(payment: &Payment) -> Result<Document, StoreError> {
    Ok(doc! {
        "order": codec::oid(payment.order.bytes()),
        "razorpayOrderId": &payment.razorpay_order_id,
        "dueAt": payment.due_at.map(codec::micros_up),
        "doc": codec::document(payment)?,
    })
}

/// The fields of a webhook that was worked on at `now`.
pub(super) fn seen(now: Timestamp) -> Document {
    let until = codec::date(now.saturating_add(REMEMBER).unwrap_or(Timestamp::MAX));
    doc! { "seenAt": now.as_microsecond(), "forgetAt": until }
}

fn payment(row: &Document) -> Result<Payment, StoreError> {
    Ok(Payment { version: codec::count(row, "version")?, ..codec::read(row)? })
}
