//! Orders, and the idempotency keys under which they were made.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine, writer::Writing};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, UserId},
        order::{Order, OrderStatus},
    },
    store::{OrderStore, Page, orders::IdempotencyKey},
};

#[async_trait]
impl OrderStore for Engine {
    async fn insert_within(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        max_unpaid: Option<u32>,
        events: &[Envelope],
    ) -> Result<u64, StoreError> {
        let (doc, events, key) = (codec::json(order)?, self.prepare(events)?, key.cloned());
        let (id, user, cart_version) = (order.id, order.user, order.cart_version);
        let (status, due_at) = (order.status.as_str(), order.saga.due_at.map(codec::micros_up));
        let now = order.created_at.as_microsecond();
        self.write(move |writing| {
            if let Some(key) = &key {
                remember_key(writing, user, key, now)?;
            }
            // A second first write of one order is a conflict and no duplicate.
            let written = codec::execute(
                writing,
                "INSERT INTO orders (id, user, cart_version, status, due_at, version, doc)
                 SELECT ?1, ?2, ?3, ?4, ?5, 1, ?6 WHERE NOT EXISTS (SELECT 1 FROM orders WHERE id = ?1)",
                (id.as_slice(), user.as_slice(), cart_version, status, due_at, doc),
            )?;
            if written == 0 {
                return Err(StoreError::Conflict);
            }
            if let Some(max) = max_unpaid {
                let sql = "SELECT count(*) FROM orders WHERE user = ?1 AND status = 'PENDING'";
                if codec::count(writing, sql, [user.as_slice()])? > u64::from(max) {
                    return Err(StoreError::Full("unpaid orders"));
                }
            }
            writing.publish(&events)?;
            Ok(1)
        })
        .await
    }

    async fn save(&self, order: &Order, events: &[Envelope]) -> Result<u64, StoreError> {
        let (doc, events) = (codec::json(order)?, self.prepare(events)?);
        let (id, version) = (order.id, order.version);
        let (status, due_at) = (order.status.as_str(), order.saga.due_at.map(codec::micros_up));
        self.write(move |writing| {
            let written = codec::execute(
                writing,
                "UPDATE orders SET status = ?2, due_at = ?3, version = version + 1, doc = ?4
                 WHERE id = ?1 AND version = ?5",
                (id.as_slice(), status, due_at, doc, version),
            )?;
            if written == 0 {
                return Err(StoreError::Conflict);
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM orders WHERE id = ?1", [id.as_slice()], order)
        })
        .await
    }

    async fn by_key(&self, user: UserId, key: &str, now: Timestamp) -> Result<Option<IdempotencyKey>, StoreError> {
        let (key, now) = (key.to_owned(), now.as_microsecond());
        self.read(move |connection| {
            codec::first(
                connection,
                "SELECT key, request_hash, order_id, expires_at FROM idempotency_keys
                 WHERE user = ?1 AND key = ?2 AND expires_at > ?3",
                (user.as_slice(), key, now),
                idempotency_key,
            )
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
        self.read_snapshot(move |connection| page(connection, user, status, skip, limit)).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        let now = now.as_microsecond();
        self.read(move |connection| {
            codec::all(
                connection,
                "SELECT id FROM orders WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2",
                (now, limit),
                |row| codec::id(row, 0),
            )
        })
        .await
    }

    async fn unpaid(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.read(move |connection| {
            let after = after.as_ref().map_or(&[][..], OrderId::as_slice);
            // Whatever awaits money is due some time, and few orders are: an index has them.
            let sql = "SELECT version, doc FROM orders WHERE due_at IS NOT NULL AND status = ?3 AND id > ?1
                       ORDER BY id LIMIT ?2";
            codec::all(connection, sql, (after, limit, OrderStatus::Pending.as_str()), order)
        })
        .await
    }

    async fn all(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.read(move |connection| {
            // The empty blob sorts before every id.
            let after = after.as_ref().map_or(&[][..], OrderId::as_slice);
            let sql = "SELECT version, doc FROM orders WHERE id > ?1 ORDER BY id LIMIT ?2";
            codec::all(connection, sql, (after, limit), order)
        })
        .await
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_microsecond();
        self.write(move |writing| {
            codec::execute(writing, "DELETE FROM idempotency_keys WHERE expires_at <= ?1", [now]).map(|_| ())
        })
        .await
    }
}

/// Writes a key, over an expired one if need be.
fn remember_key(writing: &Writing<'_>, user: UserId, key: &IdempotencyKey, now: i64) -> Result<(), StoreError> {
    let written = codec::execute(
        writing,
        "INSERT INTO idempotency_keys (user, key, request_hash, order_id, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (user, key) DO UPDATE SET
             request_hash = excluded.request_hash, order_id = excluded.order_id, expires_at = excluded.expires_at
         WHERE expires_at <= ?6 OR order_id = excluded.order_id",
        (user.as_slice(), &key.key, &key.request_hash, key.order.as_slice(), codec::micros_up(key.expires_at), now),
    )?;
    if written == 0 { Err(StoreError::Duplicate("key")) } else { Ok(()) }
}

fn page(
    connection: &Connection,
    user: UserId,
    status: Option<OrderStatus>,
    skip: u64,
    limit: u32,
) -> Result<Page<Order>, StoreError> {
    let status = status.map(OrderStatus::as_str);
    let rows = codec::all(
        connection,
        "SELECT version, doc FROM orders WHERE user = ?1 AND (?2 IS NULL OR status = ?2)
         ORDER BY id DESC LIMIT ?3 OFFSET ?4",
        (user.as_slice(), status, limit, codec::offset(skip)),
        order,
    )?;
    let total = codec::count(
        connection,
        "SELECT count(*) FROM orders WHERE user = ?1 AND (?2 IS NULL OR status = ?2)",
        (user.as_slice(), status),
    )?;
    Ok(Page { rows, total })
}

pub(super) fn order(row: &Row<'_>) -> Result<Order, StoreError> {
    Ok(Order { version: row.get(0)?, ..codec::document(row, 1)? })
}

pub(super) fn idempotency_key(row: &Row<'_>) -> Result<IdempotencyKey, StoreError> {
    Ok(IdempotencyKey {
        key: row.get(0)?,
        request_hash: row.get(1)?,
        order: codec::id(row, 2)?,
        expires_at: codec::time(row.get(3)?)?,
    })
}
