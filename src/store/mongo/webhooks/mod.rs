//! Webhooks; `queue` has what is on its way to them.

pub(super) mod queue;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        ids::{UserId, WebhookDeliveryId, WebhookId},
        user::Role,
        webhook::{SwitchedOff, Webhook, WebhookDelivery},
    },
    store::{
        Page, StoreError, WebhookStore,
        webhooks::{ClaimLimits, Claimed, Enqueued, Health, WebhookStats},
    },
};

#[async_trait]
impl WebhookStore for Engine {
    async fn insert(&self, webhook: &Webhook, at_most: u32) -> Result<bool, StoreError> {
        let endpoints = self.collections.webhook_endpoints.clone();
        let mut made = document(&Webhook { version: 1, consecutive_failures: 0, off: None, ..webhook.clone() })?;
        let owner = codec::oid(webhook.owner.bytes());
        self.run(async move {
            let find = endpoints.find(doc! { "owner": owner }).projection(doc! { "slot": 1 });
            let taken = codec::all(find, |row| codec::whole(row, "slot")).await?;
            // Each of an owner's webhooks has a place of its own, so that of many at once only
            // as many as there are places come in.
            for slot in (0..i64::from(at_most)).filter(|slot| !taken.contains(slot)) {
                made.insert("slot", slot);
                match endpoints.insert_one(made.clone()).await {
                    Ok(_) => return Ok(true),
                    Err(error) if codec::is_duplicate(&error) => {}
                    Err(error) => return Err(Failed::write(&error)),
                }
            }
            Ok(false)
        })
        .await
    }

    async fn save(&self, webhook: &Webhook) -> Result<u64, StoreError> {
        let all = self.collections.clone();
        let (id, next) = (codec::oid(webhook.id.bytes()), webhook.version + 1);
        let filter = doc! { "_id": id, "version": codec::long(webhook.version)? };
        let off = webhook.off.as_ref().map(off_document);
        let mut fields = doc! { "doc": codec::document(webhook)?, "version": codec::long(next)?, "off": off.clone() };
        if off.is_none() {
            // Whoever is on again begins anew; whoever was on all the time keeps her failures.
            let known = self.webhook(doc! { "_id": id }).await?;
            if known.is_some_and(|known| known.off.is_some()) {
                fields.insert("failures", 0_i64);
            }
        }
        self.run(async move {
            let before = all.webhook_endpoints.find_one_and_update(filter, doc! { "$set": fields }).await;
            let before = before.map_err(|error| Failed::write(&error))?.ok_or(StoreError::Conflict)?;
            let was_off = matches!(before.get("off"), Some(Bson::Document(_)));
            match (was_off, off.is_some()) {
                (true, false) => queue::go_on(&all.webhook_deliveries, id).await?,
                (false, true) => queue::hold(&all.webhook_deliveries, id).await?,
                (true, true) | (false, false) => {}
            }
            Ok(next)
        })
        .await
    }

    async fn delete(&self, id: WebhookId) -> Result<bool, StoreError> {
        let (all, id) = (self.collections.clone(), codec::oid(id.bytes()));
        self.run(async move {
            let gone = all.webhook_endpoints.delete_one(doc! { "_id": id }).await;
            let gone = gone.map_err(|error| Failed::write(&error))?.deleted_count > 0;
            let theirs = all.webhook_deliveries.delete_many(doc! { "webhook": id }).await;
            theirs.map_err(|error| Failed::write(&error))?;
            Ok(gone)
        })
        .await
    }

    async fn get(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.webhook(doc! { "_id": codec::oid(id.bytes()) }).await
    }

    async fn list(&self, owner: Option<UserId>, skip: u64, limit: u32) -> Result<Page<Webhook>, StoreError> {
        let endpoints = self.collections.webhook_endpoints.clone();
        let filter = owner.map_or_else(Document::new, |owner| doc! { "owner": codec::oid(owner.bytes()) });
        self.run(async move { codec::page(&endpoints, filter, doc! { "_id": -1 }, skip, limit, webhook).await }).await
    }

    async fn listeners(&self, owners: &[UserId], also: Role) -> Result<Vec<Webhook>, StoreError> {
        let endpoints = self.collections.webhook_endpoints.clone();
        let owners: Vec<_> = owners.iter().map(|owner| codec::oid(owner.bytes())).collect();
        self.run(async move {
            let whose = [doc! { "role": also.as_str() }, doc! { "owner": { "$in": owners } }];
            codec::all(endpoints.find(doc! { "off": Bson::Null, "$or": whose.to_vec() }), webhook).await
        })
        .await
    }

    async fn enqueue(&self, delivery: &WebhookDelivery, at_most: u32) -> Result<Enqueued, StoreError> {
        let (all, delivery) = (self.collections.clone(), delivery.clone());
        let number = codec::long(self.sequence.next())?;
        self.run(async move { queue::enqueue(&all, &delivery, at_most, number).await }).await
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp, limits: ClaimLimits) -> Result<Vec<Claimed>, StoreError> {
        let all = self.collections.clone();
        self.run(async move { queue::claim(&all, now, lease, limits).await }).await
    }

    async fn record(
        &self,
        delivery: &WebhookDelivery,
        lease: Timestamp,
        health: Health,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (all, delivery) = (self.collections.clone(), delivery.clone());
        self.run(async move { queue::record(&all, &delivery, lease, health, now).await }).await
    }

    async fn redeliver(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let all = self.collections.clone();
        self.run(async move { queue::redeliver(&all, webhook, id, now).await }).await
    }

    async fn deliveries(&self, webhook: WebhookId, skip: u64, limit: u32) -> Result<Page<WebhookDelivery>, StoreError> {
        let deliveries = self.collections.webhook_deliveries.clone();
        let filter = doc! { "webhook": codec::oid(webhook.bytes()) };
        self.run(async move { codec::page(&deliveries, filter, doc! { "n": -1 }, skip, limit, queue::delivery).await })
            .await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let deliveries = self.collections.webhook_deliveries.clone();
        self.run(async move {
            let old = doc! { "createdAt": { "$lt": before.as_microsecond() } };
            codec::delete_some(&deliveries, old, limit).await
        })
        .await
    }

    async fn stats(&self) -> Result<WebhookStats, StoreError> {
        let all = self.collections.clone();
        self.run(async move {
            Ok(WebhookStats {
                active: codec::counted(&all.webhook_endpoints, doc! { "off": Bson::Null }).await?,
                off: codec::counted(&all.webhook_endpoints, doc! { "off": { "$ne": Bson::Null } }).await?,
                waiting: codec::counted(&all.webhook_deliveries, doc! { "state": "waiting" }).await?,
            })
        })
        .await
    }
}

impl Engine {
    async fn webhook(&self, filter: Document) -> Result<Option<Webhook>, StoreError> {
        let endpoints = self.collections.webhook_endpoints.clone();
        self.run(async move { codec::first(&endpoints, filter, webhook).await }).await
    }
}

/// A webhook as it stands, without its place.
pub(super) fn document(webhook: &Webhook) -> Result<Document, StoreError> {
    Ok(doc! {
        "_id": codec::oid(webhook.id.bytes()),
        "owner": codec::oid(webhook.owner.bytes()),
        "role": webhook.role.as_str(),
        "failures": i64::from(webhook.consecutive_failures),
        "off": webhook.off.as_ref().map(off_document),
        "version": codec::long(webhook.version)?,
        "doc": codec::document(webhook)?,
    })
}

fn off_document(off: &SwitchedOff) -> Document {
    doc! { "reason": &off.reason, "at": codec::micros_up(off.at) }
}

fn webhook(row: &Document) -> Result<Webhook, StoreError> {
    let off = match row.get("off") {
        Some(Bson::Document(off)) => Some(SwitchedOff {
            reason: codec::string(off, "reason")?.to_owned(),
            at: codec::time(codec::whole(off, "at")?)?,
        }),
        _ => None,
    };
    Ok(Webhook {
        version: codec::count(row, "version")?,
        consecutive_failures: u32::try_from(codec::whole(row, "failures")?).map_err(codec::corrupt)?,
        off,
        ..codec::read(row)?
    })
}

/// Switches a webhook off; returns whether it was on.
async fn switch_off(
    endpoints: &Collection<Document>,
    id: bson::oid::ObjectId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let off = off_document(&SwitchedOff { reason: reason.to_owned(), at: now });
    let update = doc! { "$set": { "off": off }, "$inc": { "version": 1_i64 } };
    let switched = endpoints.update_one(doc! { "_id": id, "off": Bson::Null }, update).await;
    Ok(switched.map_err(|error| Failed::write(&error))?.matched_count > 0)
}
