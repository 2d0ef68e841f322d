//! Payments, the webhooks that were worked on, and the sandbox gateway's own books.

use async_trait::async_trait;
use rusqlite::Row;

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, PaymentId},
        payment::Payment,
    },
    store::PaymentStore,
};

#[async_trait]
impl PaymentStore for Engine {
    async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, StoreError> {
        let (doc, events) = (codec::json(payment)?, self.prepare(events)?);
        let (id, order, version) = (payment.id, payment.order, payment.version);
        let (razorpay_order, due_at) = (payment.razorpay_order_id.clone(), payment.due_at.map(codec::micros_up));
        self.write(move |writing| {
            let row = (id.as_slice(), order.as_slice(), razorpay_order, due_at, version, doc);
            let written = if version == 0 {
                // A second first write of one payment is a conflict and no duplicate.
                codec::execute(
                    writing,
                    "INSERT INTO payments (id, order_id, razorpay_order_id, due_at, version, doc)
                     SELECT ?1, ?2, ?3, ?4, ?5 + 1, ?6 WHERE NOT EXISTS (SELECT 1 FROM payments WHERE id = ?1)",
                    row,
                )?
            } else {
                codec::execute(
                    writing,
                    "UPDATE payments
                     SET order_id = ?2, razorpay_order_id = ?3, due_at = ?4, version = version + 1, doc = ?6
                     WHERE id = ?1 AND version = ?5",
                    row,
                )?
            };
            if written == 0 {
                return Err(StoreError::Conflict);
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM payments WHERE id = ?1", [id.as_slice()], payment)
        })
        .await
    }

    async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM payments WHERE order_id = ?1";
            codec::first(connection, sql, [order.as_slice()], payment)
        })
        .await
    }

    async fn by_razorpay_order(&self, razorpay_order_id: &str) -> Result<Option<Payment>, StoreError> {
        let razorpay_order_id = razorpay_order_id.to_owned();
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM payments WHERE razorpay_order_id = ?1";
            codec::first(connection, sql, [razorpay_order_id], payment)
        })
        .await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        let now = now.as_microsecond();
        self.read(move |connection| {
            let sql = "SELECT id FROM payments WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
            codec::all(connection, sql, (now, limit), |row| codec::id(row, 0))
        })
        .await
    }

    async fn all(&self, after: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.read(move |connection| {
            // The empty blob sorts before every id.
            let after = after.as_ref().map_or(&[][..], PaymentId::as_slice);
            let sql = "SELECT version, doc FROM payments WHERE id > ?1 ORDER BY id LIMIT ?2";
            codec::all(connection, sql, (after, limit), payment)
        })
        .await
    }

    async fn remember_webhook(&self, event_id: &str, now: Timestamp) -> Result<(), StoreError> {
        let (event_id, now) = (event_id.to_owned(), now.as_microsecond());
        self.write(move |writing| {
            let sql = "INSERT INTO webhooks (event_id, seen_at) VALUES (?1, ?2) ON CONFLICT (event_id) DO NOTHING";
            codec::execute(writing, sql, (event_id, now)).map(|_| ())
        })
        .await
    }

    async fn knows_webhook(&self, event_id: &str) -> Result<bool, StoreError> {
        let event_id = event_id.to_owned();
        self.read(move |connection| {
            let known = codec::count(connection, "SELECT count(*) FROM webhooks WHERE event_id = ?1", [event_id])?;
            Ok(known > 0)
        })
        .await
    }

    async fn put_sandbox(&self, key: &str, page: &serde_json::Value) -> Result<(), StoreError> {
        let (key, page) = (key.to_owned(), codec::json(page)?);
        self.write(move |writing| {
            let sql = "INSERT INTO sandbox (key, page) VALUES (?1, ?2)
                       ON CONFLICT (key) DO UPDATE SET page = excluded.page";
            codec::execute(writing, sql, (key, page)).map(|_| ())
        })
        .await
    }

    async fn get_sandbox(&self, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let sql = "SELECT page FROM sandbox WHERE key = ?1";
            codec::first(connection, sql, [key], |row| codec::document(row, 0))
        })
        .await
    }
}

pub(super) fn payment(row: &Row<'_>) -> Result<Payment, StoreError> {
    Ok(Payment { version: row.get(0)?, ..codec::document(row, 1)? })
}
