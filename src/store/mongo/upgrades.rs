//! Records which upgrades of stored documents are done, and does those that are one call.

use std::sync::Arc;

use bson::doc;

use super::{codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        ids::PaymentId,
        payment::{Changed, Payment},
    },
    store::{
        StoreError,
        document::{Collection as DocumentsOf, Document},
    },
};

/// How many payments are read together.
const PAGE: i64 = 1_000;

/// Whether the upgrade with this name is done.
pub(super) async fn is_noted(engine: &Engine, name: &'static str) -> Result<bool, StoreError> {
    let notes = engine.collections.upgrades();
    engine.run(async move { Ok(codec::counted(&notes, doc! { "_id": name }).await? > 0) }).await
}

/// Records that an upgrade is done.
pub(super) async fn note(engine: &Engine, name: &'static str) -> Result<(), StoreError> {
    let notes = engine.collections.upgrades();
    let done = doc! { "$set": { "at": Timestamp::now().as_microsecond() } };
    engine.run(async move { codec::upsert(&notes, name, done).await }).await
}

/// Marks every payment with a refund, so that its order is notified, as the embedded store's schema step does; runs
/// once. Notifying an order twice changes nothing, so that several nodes may do this at once.
pub(super) async fn notify_refunds_again(engine: &Arc<Engine>) -> Result<(), StoreError> {
    const NOTE: &str = "refunds";
    if is_noted(engine, NOTE).await? {
        return Ok(());
    }
    let payments = DocumentsOf::<Payment>::new(engine.clone());
    let mut after = None;
    loop {
        let collection = engine.place(Payment::SPEC)?.collection;
        let page: Vec<PaymentId> = engine
            .run(async move {
                // Any text means that the gateway accepted the refund.
                let mut filter = doc! { "doc.refunds.gatewayId": { "$gt": "" } };
                if let Some(last) = after {
                    filter.insert("_id", doc! { "$gt": last });
                }
                let find = collection.find(filter).sort(doc! { "_id": 1 }).limit(PAGE).projection(doc! { "_id": 1 });
                codec::all(find, |row| codec::id(row, "_id").map(PaymentId::from_bytes)).await
            })
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(codec::oid(last.bytes()));
        for id in page {
            let now = Timestamp::now();
            payments.change(id, |payment| (payment.notify_refunds_again(now) == Changed::Yes).then_some(())).await?;
        }
    }
    note(engine, NOTE).await
}
