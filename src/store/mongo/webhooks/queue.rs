//! Deliveries to webhooks: put in, claimed, tried, forgotten.
//!
//! **Invariant:** what waits for a webhook that is switched off is not claimed.

use std::collections::HashMap;

use bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::{Collection, options::ReturnDocument};

use super::{
    super::{
        codec::{self, Failed},
        engine::Collections,
    },
    switch_off, webhook,
};
use crate::{
    domain::{
        Timestamp,
        ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
        webhook::{Attempt, DeliveryState, WebhookDelivery},
    },
    store::{
        StoreError,
        webhooks::{ClaimLimits, Claimed, Enqueued, Health},
    },
};

/// How many that are due are looked at to choose from.
const LOOKED_AT: i64 = 1_000;

/// Puts a delivery in.
pub(super) async fn enqueue(
    all: &Collections,
    delivery: &WebhookDelivery,
    at_most: u32,
    number: i64,
) -> Result<Enqueued, StoreError> {
    let webhook = codec::oid(delivery.webhook.bytes());
    let active = all.webhook_endpoints.find_one(doc! { "_id": webhook, "off": Bson::Null }).await;
    let Some(endpoint) = active.map_err(|error| Failed::read(&error))? else { return Ok(Enqueued::NotActive) };
    let id = codec::oid(delivery.id.bytes());
    if codec::counted(&all.webhook_deliveries, doc! { "_id": id }).await? > 0 {
        return Ok(Enqueued::Known);
    }
    let waiting = doc! { "webhook": webhook, "state": DeliveryState::Waiting.as_str() };
    if codec::counted(&all.webhook_deliveries, waiting).await? >= u64::from(at_most) {
        let reason = format!("{at_most} deliveries wait, and no more are taken on");
        switch_off(&all.webhook_endpoints, webhook, &reason, delivery.created_at).await?;
        hold(&all.webhook_deliveries, webhook).await?;
        return Ok(Enqueued::Overflow);
    }
    let owner = UserId::from_bytes(codec::id(&endpoint, "owner")?);
    let made = document(delivery, owner, number, 0)?;
    match all.webhook_deliveries.insert_one(made).await {
        Ok(_) => Ok(Enqueued::New),
        Err(error) if codec::is_duplicate(&error) => Ok(Enqueued::Known),
        Err(error) => Err(Failed::write(&error)),
    }
}

/// A delivery as it stands, claimed until `lease` (0 for by nobody).
pub(in crate::store::mongo) fn document(
    delivery: &WebhookDelivery,
    owner: UserId,
    number: i64,
    lease: i64,
) -> Result<Document, StoreError> {
    let mut made = tried(delivery)?;
    made.extend(doc! {
        "_id": codec::oid(delivery.id.bytes()),
        "n": number,
        "webhook": codec::oid(delivery.webhook.bytes()),
        "owner": codec::oid(owner.bytes()),
        "event": codec::oid(delivery.event.bytes()),
        "name": &delivery.name,
        "body": &delivery.body,
        "createdAt": delivery.created_at.as_microsecond(),
        "lease": lease,
    });
    Ok(made)
}

/// What an attempt changes.
fn tried(delivery: &WebhookDelivery) -> Result<Document, StoreError> {
    Ok(doc! {
        "state": delivery.state.as_str(),
        "dueAt": delivery.next_try_at.map(codec::micros_up),
        "tries": i64::from(delivery.tries),
        "attempts": codec::document(&delivery.attempts)?,
    })
}

/// Claims what is due. Those under way take up the first places of their webhook and owner.
pub(super) async fn claim(
    all: &Collections,
    now: Timestamp,
    lease: Timestamp,
    limits: ClaimLimits,
) -> Result<Vec<Claimed>, StoreError> {
    let (micros, until) = (now.as_microsecond(), lease.as_microsecond());
    let find = all.webhook_deliveries.find(doc! { "dueAt": { "$lte": micros } });
    let fields = doc! { "webhook": 1, "owner": 1, "lease": 1 };
    let due = codec::all(find.sort(doc! { "dueAt": 1, "n": 1 }).limit(LOOKED_AT).projection(fields), |row| {
        let lease = codec::whole(row, "lease")?;
        let webhook = row.get_object_id("webhook").map_err(codec::corrupt)?;
        Ok((codec::oid(codec::id(row, "_id")?), webhook, codec::oid(codec::id(row, "owner")?), lease))
    });
    let (sending, waiting): (Vec<_>, Vec<_>) = due.await?.into_iter().partition(|(.., lease)| *lease > micros);
    let (mut of_webhook, mut of_owner): (HashMap<ObjectId, u32>, HashMap<ObjectId, u32>) = Default::default();
    for (_, webhook, owner, _) in &sending {
        *of_webhook.entry(*webhook).or_default() += 1;
        *of_owner.entry(*owner).or_default() += 1;
    }
    let mut claimed = vec![];
    for (id, endpoint, owner, old) in waiting {
        if claimed.len() >= usize::try_from(limits.all).unwrap_or(usize::MAX) {
            break;
        }
        let (webhooks, owners) = (of_webhook.entry(endpoint).or_default(), of_owner.entry(owner).or_default());
        if *webhooks >= limits.per_webhook || *owners >= limits.per_owner {
            continue;
        }
        let ours = doc! { "_id": id, "lease": old, "dueAt": { "$lte": micros } };
        let taken = all
            .webhook_deliveries
            .find_one_and_update(ours, doc! { "$set": { "lease": until } })
            .return_document(ReturnDocument::After)
            .await;
        // Otherwise another node was quicker.
        let Some(taken) = taken.map_err(|error| Failed::write(&error))? else { continue };
        let Some(webhook) = codec::first(&all.webhook_endpoints, doc! { "_id": endpoint }, webhook).await? else {
            continue;
        };
        if webhook.off.is_some() {
            // Put in while it was being switched off.
            hold(&all.webhook_deliveries, endpoint).await?;
            continue;
        }
        (*webhooks, *owners) = (*webhooks + 1, *owners + 1);
        claimed.push(Claimed { webhook, delivery: delivery(&taken)?, lease: codec::time(until)? });
    }
    Ok(claimed)
}

/// Enters an attempt, if its claim still holds.
pub(super) async fn record(
    all: &Collections,
    delivery: &WebhookDelivery,
    lease: Timestamp,
    health: Health,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (id, endpoint) = (codec::oid(delivery.id.bytes()), codec::oid(delivery.webhook.bytes()));
    let mut fields = tried(delivery)?;
    fields.insert("lease", 0_i64);
    let claimed = doc! { "_id": id, "lease": lease.as_microsecond() };
    let written = all.webhook_deliveries.update_one(claimed, doc! { "$set": fields }).await;
    if written.map_err(|error| Failed::write(&error))?.matched_count == 0 {
        return Ok(false);
    }
    let off = match health {
        Health::Unknown => None,
        Health::Good => {
            let ill = doc! { "_id": endpoint, "failures": { "$ne": 0_i64 } };
            let good = all.webhook_endpoints.update_one(ill, doc! { "$set": { "failures": 0_i64 } }).await;
            good.map_err(|error| Failed::write(&error))?;
            None
        }
        Health::Gone => Some("the receiver answered 410 Gone".to_owned()),
        Health::Bad { switch_off_after } => {
            let counted = all
                .webhook_endpoints
                .find_one_and_update(doc! { "_id": endpoint }, doc! { "$inc": { "failures": 1_i64 } })
                .return_document(ReturnDocument::After)
                .await;
            let counted = counted.map_err(|error| Failed::write(&error))?;
            let failures = counted.map(|row| codec::whole(&row, "failures")).transpose()?;
            failures
                .is_some_and(|failures| failures >= i64::from(switch_off_after))
                .then(|| format!("{switch_off_after} attempts in a row failed"))
        }
    };
    if let Some(reason) = off {
        let switched = switch_off(&all.webhook_endpoints, endpoint, &reason, now).await?;
        hold(&all.webhook_deliveries, endpoint).await?;
        return Ok(switched);
    }
    // Switched off while this was under way: what waits again, waits without a date.
    let is_off = doc! { "_id": endpoint, "off": { "$ne": Bson::Null } };
    if codec::counted(&all.webhook_endpoints, is_off).await? > 0 {
        hold(&all.webhook_deliveries, endpoint).await?;
    }
    Ok(false)
}

/// Takes the dates from what waits for a webhook. Claims stay: what is under way is entered.
pub(super) async fn hold(deliveries: &Collection<Document>, webhook: ObjectId) -> Result<(), StoreError> {
    let waiting = doc! { "webhook": webhook, "state": DeliveryState::Waiting.as_str() };
    let held = deliveries.update_many(waiting, doc! { "$set": { "dueAt": Bson::Null } }).await;
    held.map(|_| ()).map_err(|error| Failed::write(&error))
}

/// Gives what waits for a webhook its dates again: by when it was made, so that it keeps its order.
pub(super) async fn go_on(deliveries: &Collection<Document>, webhook: ObjectId) -> Result<(), StoreError> {
    let waiting = doc! { "webhook": webhook, "state": DeliveryState::Waiting.as_str() };
    let find = deliveries.find(waiting).projection(doc! { "createdAt": 1 });
    for (id, made) in codec::all(find, |row| Ok((codec::id(row, "_id")?, codec::whole(row, "createdAt")?))).await? {
        let due = doc! { "$set": { "dueAt": made, "lease": 0_i64 } };
        let waits = doc! { "_id": codec::oid(id), "state": DeliveryState::Waiting.as_str() };
        deliveries.update_one(waits, due).await.map_err(|error| Failed::write(&error))?;
    }
    Ok(())
}

/// Makes a delivery wait again.
pub(super) async fn redeliver(
    all: &Collections,
    webhook: WebhookId,
    id: WebhookDeliveryId,
    now: Timestamp,
) -> Result<Option<WebhookDelivery>, StoreError> {
    let endpoint = codec::oid(webhook.bytes());
    let on = codec::counted(&all.webhook_endpoints, doc! { "_id": endpoint, "off": Bson::Null }).await? > 0;
    // A claim stays: what is under way is entered first, and is not sent twice at once.
    let fields = doc! {
        "state": DeliveryState::Waiting.as_str(),
        "tries": 0_i64,
        "dueAt": on.then(|| codec::micros_up(now)),
    };
    let this = doc! { "_id": codec::oid(id.bytes()), "webhook": endpoint };
    let again = all
        .webhook_deliveries
        .find_one_and_update(this, doc! { "$set": fields })
        .return_document(ReturnDocument::After)
        .await;
    again.map_err(|error| Failed::write(&error))?.as_ref().map(delivery).transpose()
}

pub(super) fn delivery(row: &Document) -> Result<WebhookDelivery, StoreError> {
    let attempts: Vec<Attempt> =
        codec::read(&doc! { "doc": row.get("attempts").cloned().unwrap_or_else(|| Bson::Array(vec![])) })?;
    let states = [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Failed];
    let word = codec::string(row, "state")?;
    let state = states.into_iter().find(|state| state.as_str() == word);
    Ok(WebhookDelivery {
        id: WebhookDeliveryId::from_bytes(codec::id(row, "_id")?),
        webhook: WebhookId::from_bytes(codec::id(row, "webhook")?),
        event: EventId::from_bytes(codec::id(row, "event")?),
        name: codec::string(row, "name")?.to_owned(),
        body: codec::string(row, "body")?.to_owned(),
        attempts,
        tries: u32::try_from(codec::whole(row, "tries")?).map_err(codec::corrupt)?,
        state: state.ok_or_else(|| codec::corrupt(format!("a delivery that is {word}")))?,
        next_try_at: codec::optional_time(row, "dueAt")?,
        created_at: codec::time(codec::whole(row, "createdAt")?)?,
    })
}
