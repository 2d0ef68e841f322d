//! Payments, the gateway's reports, and the sandbox gateway's own books.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, PaymentId},
        payment::{Changed, Payment},
    },
    store::{PaymentStore, REPORT_KNOWN_FOR, StoredReport, payments::KeptReport},
};

#[async_trait]
impl PaymentStore for Engine {
    async fn save(&self, payment: &Payment, events: &[Envelope]) -> Result<u64, StoreError> {
        let (doc, events) = (codec::json(payment)?, self.prepare(events)?);
        let (id, order, version) = (payment.id, payment.order, payment.version);
        let (razorpay_order, due_at) = (payment.razorpay_order_id.clone(), payment.due_at.map(codec::micros_up));
        let payment_id = payment.payment_id.clone();
        self.write(move |writing| {
            let row = (id.as_slice(), order.as_slice(), razorpay_order, due_at, version, doc, payment_id);
            let written = if version == 0 {
                // A second first write of one payment is a conflict and no duplicate.
                codec::execute(
                    writing,
                    "INSERT INTO payments (id, order_id, razorpay_order_id, due_at, version, doc, payment_id)
                     SELECT ?1, ?2, ?3, ?4, ?5 + 1, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM payments WHERE id = ?1)",
                    row,
                )?
            } else {
                codec::execute(
                    writing,
                    "UPDATE payments
                     SET order_id = ?2, razorpay_order_id = ?3, due_at = ?4, version = version + 1, doc = ?6,
                         payment_id = ?7
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

    async fn by_gateway_payment(&self, payment_id: &str) -> Result<Option<Payment>, StoreError> {
        let payment_id = payment_id.to_owned();
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM payments WHERE payment_id = ?1";
            codec::first(connection, sql, [payment_id], payment)
        })
        .await
    }

    async fn keep_report(&self, report: &StoredReport, due_at: Timestamp) -> Result<bool, StoreError> {
        let (report, due_at) = (report.clone(), codec::micros_up(due_at));
        let (seen_at, forget) = (report.received_at.as_microsecond(), report.received_at - REPORT_KNOWN_FOR);
        self.write(move |writing| {
            let old = "DELETE FROM webhooks WHERE seen_at < ?1 AND due_at IS NULL";
            codec::execute(writing, old, [forget.as_microsecond()])?;
            let sql = "INSERT INTO webhooks (event_id, seen_at, body, attempts, due_at) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (event_id) DO NOTHING";
            let row = (report.id, seen_at, report.body, report.attempts, due_at);
            Ok(codec::execute(writing, sql, row)? > 0)
        })
        .await
    }

    async fn due_reports(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredReport>, StoreError> {
        let now = now.as_microsecond();
        self.read(move |connection| {
            let sql =
                "SELECT event_id, body, seen_at, attempts FROM webhooks WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
            codec::all(connection, sql, (now, limit), |row| {
                let received_at = codec::time(row.get(2)?)?;
                Ok(StoredReport { id: row.get(0)?, body: row.get(1)?, received_at, attempts: row.get(3)? })
            })
        })
        .await
    }

    async fn report_later(&self, id: &str, attempts: u32, due_at: Timestamp) -> Result<(), StoreError> {
        let (id, due_at) = (id.to_owned(), codec::micros_up(due_at));
        self.write(move |writing| {
            // One that another process has done since stays done.
            let sql = "UPDATE webhooks SET attempts = ?2, due_at = ?3 WHERE event_id = ?1 AND outcome IS NULL";
            codec::execute(writing, sql, (id, attempts, due_at)).map(|_| ())
        })
        .await
    }

    async fn report_done(&self, id: &str, outcome: &str) -> Result<(), StoreError> {
        let (id, outcome) = (id.to_owned(), outcome.to_owned());
        self.write(move |writing| {
            let sql = "UPDATE webhooks SET outcome = ?2, due_at = NULL WHERE event_id = ?1";
            codec::execute(writing, sql, (id, outcome)).map(|_| ())
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

/// Marks every payment with a refund, so that its order hears of it. Runs within the schema step's transaction.
pub(super) fn tell_refunds_anew(transaction: &Connection) -> Result<(), StoreError> {
    let now = Timestamp::now();
    // Few payments have a refund that the gateway took; only those are read as documents.
    let sql = "SELECT version, doc FROM payments WHERE instr(CAST(doc AS TEXT), '\"gatewayId\":\"') > 0";
    for mut payment in codec::all(transaction, sql, [], payment)? {
        if payment.tell_refunds_anew(now) == Changed::Yes {
            let row = (payment.id.as_slice(), payment.due_at.map(codec::micros_up), codec::json(&payment)?);
            let sql = "UPDATE payments SET due_at = ?2, doc = ?3, version = version + 1 WHERE id = ?1";
            codec::execute(transaction, sql, row)?;
        }
    }
    Ok(())
}

pub(super) fn payment(row: &Row<'_>) -> Result<Payment, StoreError> {
    Ok(Payment { version: row.get(0)?, ..codec::document(row, 1)? })
}

fn report(row: &Row<'_>) -> Result<StoredReport, StoreError> {
    // One that was seen before bodies were kept has none.
    let body: Option<Vec<u8>> = row.get(1)?;
    let (received_at, attempts) = (codec::time(row.get(2)?)?, row.get(3)?);
    Ok(StoredReport { id: row.get(0)?, body: body.unwrap_or_default(), received_at, attempts })
}

/// The columns that [`kept_report`] reads.
pub(super) const REPORT_AND_MORE: &str = "event_id, body, seen_at, attempts, due_at, outcome";

pub(super) fn kept_report(row: &Row<'_>) -> Result<KeptReport, StoreError> {
    let due_at: Option<i64> = row.get(4)?;
    Ok(KeptReport { report: report(row)?, due_at: due_at.map(codec::time).transpose()?, outcome: row.get(5)? })
}
