//! Orders, and the idempotency keys under which they were made.
//!
//! A key is a document of its own, written before its order and taken out again when the
//! order is refused. One whose order never came, since its writer died in between, counts
//! for nothing and is taken over by the next.
//!
//! **Invariant:** of two orders under one key that has not expired, one is written.

use async_trait::async_trait;
use bson::{Document, doc, oid::ObjectId};
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    engine::Engine,
    unpaid::Place,
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, UserId},
        order::{Order, OrderStatus},
    },
    store::{OrderStore, Page, StoreError, orders::IdempotencyKey},
};

/// How often a key is asked for, should others be as quick.
const TRIES: u32 = 3;
/// After that long a key without its order is one of a dead writer: longer than a call takes.
const ORPHAN_AFTER: i64 = 10_000_000;

#[async_trait]
impl OrderStore for Engine {
    async fn insert_within(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        max_unpaid: Option<u32>,
        events: &[Envelope],
    ) -> Result<u64, StoreError> {
        let (orders, events) = (self.collections.orders.clone(), self.prepare(events)?);
        let woken = !events.is_empty();
        let fields = fields(order)?;
        let key = key.map(|key| {
            let fields = key_fields(&IdempotencyKey { order: order.id, ..key.clone() });
            Key { name: key_name(order.user, &key.key), fields }
        });
        let (id, now) = (codec::oid(order.id.bytes()), order.created_at.as_microsecond());
        let keys = self.collections.idempotency_keys.clone();
        let place = max_unpaid.map(|max| Place::new(&self.collections, order, max));
        let saved = self
            .run(async move {
                if let Some(key) = &key {
                    key.claim(&keys, &orders, id, now).await?;
                }
                let inserted = match place {
                    None => codec::save(&orders, id, 0, fields, events).await,
                    Some(place) => place.insert(fields, events).await,
                };
                // Not after a deadline, for then the order may be there.
                if let (Some(key), Err(StoreError::Duplicate(_) | StoreError::Full(_))) = (key, &inserted) {
                    let ours = doc! { "_id": key.name, "order": id };
                    keys.delete_one(ours).await.map_err(|error| Failed::write(&error))?;
                }
                inserted
            })
            .await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn save(&self, order: &Order, events: &[Envelope]) -> Result<u64, StoreError> {
        let (orders, events, fields) = (self.collections.orders.clone(), self.prepare(events)?, fields(order)?);
        let (id, version, woken) = (codec::oid(order.id.bytes()), order.version, !events.is_empty());
        if version == 0 {
            return Err(StoreError::Conflict);
        }
        let saved = self.run(async move { codec::save(&orders, id, version, fields, events).await }).await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let orders = self.collections.orders.clone();
        self.run(async move { codec::first(&orders, doc! { "_id": codec::oid(id.bytes()) }, order).await }).await
    }

    async fn by_key(&self, user: UserId, key: &str, now: Timestamp) -> Result<Option<IdempotencyKey>, StoreError> {
        let (orders, keys) = (self.collections.orders.clone(), self.collections.idempotency_keys.clone());
        let filter = doc! { "_id": key_name(user, key), "expiresAt": { "$gt": now.as_microsecond() } };
        self.run(async move {
            let Some(known) = codec::first(&keys, filter, idempotency_key).await? else { return Ok(None) };
            let made = codec::counted(&orders, doc! { "_id": codec::oid(known.order.bytes()) }).await? > 0;
            Ok(made.then_some(known))
        })
        .await
    }

    async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, StoreError> {
        let orders = self.collections.orders.clone();
        let mut filter = doc! { "user": codec::oid(user.bytes()) };
        if let Some(status) = status {
            filter.insert("status", status.as_str());
        }
        self.run(async move { codec::page(&orders, filter, doc! { "_id": -1 }, skip, limit, order).await }).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        let orders = self.collections.orders.clone();
        self.run(async move {
            let due = doc! { "dueAt": { "$lte": now.as_microsecond() } };
            let find = orders.find(due).sort(doc! { "dueAt": 1 }).limit(limit.into()).projection(doc! { "_id": 1 });
            codec::all(find, |row| codec::id(row, "_id").map(OrderId::from_bytes)).await
        })
        .await
    }

    async fn unpaid(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        let orders = self.collections.orders.clone();
        self.run(async move {
            // Whatever awaits money is due some time, and few orders are: an index has them.
            let mut filter = doc! { "dueAt": { "$gt": 0 }, "status": OrderStatus::Pending.as_str() };
            if let Some(id) = after {
                filter.insert("_id", doc! { "$gt": codec::oid(id.bytes()) });
            }
            codec::all(orders.find(filter).sort(doc! { "_id": 1 }).limit(limit.into()), order).await
        })
        .await
    }

    async fn all(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        let orders = self.collections.orders.clone();
        self.run(async move {
            let filter = after.map_or_else(Document::new, |id| doc! { "_id": { "$gt": codec::oid(id.bytes()) } });
            codec::all(orders.find(filter).sort(doc! { "_id": 1 }).limit(limit.into()), order).await
        })
        .await
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<(), StoreError> {
        // The server does so too, by the index `expiry`, some minutes late.
        let keys = self.collections.idempotency_keys.clone();
        let expired = doc! { "expiresAt": { "$lte": now.as_microsecond() } };
        self.run(async move { keys.delete_many(expired).await.map(|_| ()).map_err(|error| Failed::write(&error)) })
            .await
    }
}

/// The fields of an order besides its id, version and events.
pub(super) fn fields(order: &Order) -> Result<Document, StoreError> {
    Ok(doc! {
        "user": codec::oid(order.user.bytes()),
        "cartVersion": codec::long(order.cart_version)?,
        "status": order.status.as_str(),
        "dueAt": order.saga.due_at.map(codec::micros_up),
        "doc": codec::document(order)?,
    })
}

pub(super) fn key_name(user: UserId, key: &str) -> String {
    format!("{user}:{key}")
}

/// The fields of a key besides its name.
pub(super) fn key_fields(key: &IdempotencyKey) -> Document {
    doc! {
        "order": codec::oid(key.order.bytes()),
        "key": &key.key,
        "requestHash": &key.request_hash,
        "expiresAt": codec::micros_up(key.expires_at),
        "forgetAt": codec::date(key.expires_at),
        "madeAt": Timestamp::now().as_microsecond(),
    }
}

/// A key on its way into the store.
struct Key {
    name: String,
    fields: Document,
}

impl Key {
    /// Takes the name for the order `id`.
    async fn claim(
        &self,
        keys: &Collection<Document>,
        orders: &Collection<Document>,
        id: ObjectId,
        now: i64,
    ) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let mut made = self.fields.clone();
            made.insert("_id", &self.name);
            match keys.insert_one(made).await {
                Ok(_) => return Ok(()),
                Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
                Err(_) => {}
            }
            let Some(known) = codec::first(keys, doc! { "_id": &self.name }, |row| Ok(row.clone())).await? else {
                continue;
            };
            let holder = ObjectId::from_bytes(codec::id(&known, "order")?);
            let expired = codec::whole(&known, "expiresAt")? <= now;
            if holder != id && !expired {
                let old = Timestamp::now().as_microsecond() - codec::whole(&known, "madeAt")? > ORPHAN_AFTER;
                if !old || codec::counted(orders, doc! { "_id": holder }).await? > 0 {
                    return Err(StoreError::Duplicate("key"));
                }
            }
            let unchanged = doc! { "_id": &self.name, "order": holder, "expiresAt": known.get("expiresAt").cloned() };
            let taken = keys.update_one(unchanged, doc! { "$set": self.fields.clone() }).await;
            if taken.map_err(|error| Failed::write(&error))?.matched_count == 1 {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }
}

pub(super) fn order(row: &Document) -> Result<Order, StoreError> {
    Ok(Order { version: codec::count(row, "version")?, ..codec::read(row)? })
}

fn idempotency_key(row: &Document) -> Result<IdempotencyKey, StoreError> {
    Ok(IdempotencyKey {
        key: codec::string(row, "key")?.to_owned(),
        request_hash: codec::string(row, "requestHash")?.to_owned(),
        order: OrderId::from_bytes(codec::id(row, "order")?),
        expires_at: codec::time(codec::whole(row, "expiresAt")?)?,
    })
}
