//! Webhooks; `queue` has what is on its way to them.

mod queue;

pub(super) use self::queue::{DELIVERY_AND_MORE, delivery, delivery_besides};
use async_trait::async_trait;
use rusqlite::Row;

use super::{StoreError, codec, engine::Engine, writer::Writing};
use crate::{
    domain::{
        Timestamp,
        ids::{UserId, WebhookDeliveryId, WebhookId},
        user::Role,
        webhook::{SwitchedOff, Webhook, WebhookDelivery},
    },
    store::{
        Page, WebhookStore,
        webhooks::{ClaimLimits, Claimed, Enqueued, Health, WebhookStats},
    },
};

/// The columns that [`webhook`] reads.
const COLUMNS: &str = "version, doc, failures, off_reason, off_at";
/// The same, and behind them at [`PLACE`] the webhook's place among its owner's.
pub(super) const COLUMNS_AND_PLACE: &str =
    "version, doc, failures, off_reason, off_at, row_number() OVER (PARTITION BY owner ORDER BY id) - 1";
/// See [`COLUMNS_AND_PLACE`].
pub(super) const PLACE: usize = 5;

#[async_trait]
impl WebhookStore for Engine {
    async fn insert(&self, webhook: &Webhook, at_most: u32) -> Result<bool, StoreError> {
        let (id, owner, role, doc) = (webhook.id, webhook.owner, webhook.role.as_str(), codec::json(webhook)?);
        self.write(move |writing| {
            let sql = "SELECT count(*) FROM webhook_endpoints WHERE owner = ?1";
            if codec::count(writing, sql, [owner.as_slice()])? >= u64::from(at_most) {
                return Ok(false);
            }
            let sql = "INSERT INTO webhook_endpoints (id, owner, role, version, doc) VALUES (?1, ?2, ?3, 1, ?4)";
            codec::execute(writing, sql, (id.as_slice(), owner.as_slice(), role, doc)).map(|_| true)
        })
        .await
    }

    async fn save(&self, webhook: &Webhook) -> Result<u64, StoreError> {
        let (id, version, doc, off) = (webhook.id, webhook.version, codec::json(webhook)?, webhook.off.clone());
        self.write(move |writing| save(writing, id, version, &doc, off.as_ref())).await
    }

    async fn delete(&self, id: WebhookId) -> Result<bool, StoreError> {
        self.write(move |writing| {
            codec::execute(writing, "DELETE FROM webhook_deliveries WHERE webhook = ?1", [id.as_slice()])?;
            Ok(codec::execute(writing, "DELETE FROM webhook_endpoints WHERE id = ?1", [id.as_slice()])? > 0)
        })
        .await
    }

    async fn get(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE id = ?1");
            codec::first(connection, &sql, [id.as_slice()], webhook)
        })
        .await
    }

    async fn list(&self, owner: Option<UserId>, skip: u64, limit: u32) -> Result<Page<Webhook>, StoreError> {
        self.read_snapshot(move |connection| {
            let owner = owner.map(|owner| owner.bytes().to_vec());
            let whose = "WHERE ?1 IS NULL OR owner = ?1";
            let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints {whose} ORDER BY id DESC LIMIT ?2 OFFSET ?3");
            let rows = codec::all(connection, &sql, (&owner, limit, codec::offset(skip)), webhook)?;
            let sql = format!("SELECT count(*) FROM webhook_endpoints {whose}");
            Ok(Page { rows, total: codec::count(connection, &sql, [&owner])? })
        })
        .await
    }

    async fn listeners(&self, owners: &[UserId], also: Role) -> Result<Vec<Webhook>, StoreError> {
        let owners = owners.to_vec();
        self.read_snapshot(move |connection| {
            let active =
                |of: &str| format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE {of} AND off_reason IS NULL");
            let mut found = codec::all(connection, &active("role = ?1"), [also.as_str()], webhook)?;
            for owner in owners {
                let of = active("owner = ?1 AND role <> ?2");
                found.extend(codec::all(connection, &of, (owner.as_slice(), also.as_str()), webhook)?);
            }
            Ok(found)
        })
        .await
    }

    async fn enqueue(&self, delivery: &WebhookDelivery, at_most: u32) -> Result<Enqueued, StoreError> {
        let delivery = delivery.clone();
        self.write(move |writing| queue::enqueue(writing, &delivery, at_most)).await
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp, limits: ClaimLimits) -> Result<Vec<Claimed>, StoreError> {
        let due = move |connection: &rusqlite::Connection| queue::due(connection, now, limits);
        // Looking is for the readers: the writer is asked only when there is something.
        if self.read(move |connection| Ok(due(connection)?.is_empty())).await? {
            return Ok(vec![]);
        }
        self.write(move |writing| queue::claim(writing, now, lease, limits)).await
    }

    async fn record(
        &self,
        delivery: &WebhookDelivery,
        lease: Timestamp,
        health: Health,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let delivery = delivery.clone();
        self.write(move |writing| queue::record(writing, &delivery, lease, health, now)).await
    }

    async fn redeliver(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        self.write(move |writing| queue::redeliver(writing, webhook, id, now)).await
    }

    async fn deliveries(&self, webhook: WebhookId, skip: u64, limit: u32) -> Result<Page<WebhookDelivery>, StoreError> {
        self.read_snapshot(move |connection| queue::log(connection, webhook, skip, limit)).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = before.as_microsecond();
        self.write(move |writing| {
            let sql = "DELETE FROM webhook_deliveries WHERE seq IN
                       (SELECT seq FROM webhook_deliveries WHERE created_at < ?1 LIMIT ?2)";
            Ok(u64::try_from(codec::execute(writing, sql, (before, limit))?).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn stats(&self) -> Result<WebhookStats, StoreError> {
        self.read(|connection| {
            let count = |sql| codec::count(connection, sql, []);
            Ok(WebhookStats {
                active: count("SELECT count(*) FROM webhook_endpoints WHERE off_reason IS NULL")?,
                off: count("SELECT count(*) FROM webhook_endpoints WHERE off_reason IS NOT NULL")?,
                waiting: count("SELECT count(*) FROM webhook_deliveries WHERE state = 0")?,
            })
        })
        .await
    }
}

fn save(
    writing: &Writing<'_>,
    id: WebhookId,
    version: u64,
    doc: &[u8],
    off: Option<&SwitchedOff>,
) -> Result<u64, StoreError> {
    let sql = "SELECT off_reason IS NOT NULL FROM webhook_endpoints WHERE id = ?1 AND version = ?2";
    let was_off: Option<bool> = codec::first(writing, sql, (id.as_slice(), version), |row| Ok(row.get(0)?))?;
    let Some(was_off) = was_off else { return Err(StoreError::Conflict) };
    let (reason, at) = (off.map(|off| &off.reason), off.map(|off| codec::micros_up(off.at)));
    codec::execute(
        writing,
        "UPDATE webhook_endpoints SET doc = ?2, version = version + 1, off_reason = ?3, off_at = ?4 WHERE id = ?1",
        (id.as_slice(), doc, reason, at),
    )?;
    match (was_off, off.is_some()) {
        (true, false) => {
            codec::execute(writing, "UPDATE webhook_endpoints SET failures = 0 WHERE id = ?1", [id.as_slice()])?;
            // By when they were made: so they keep their order.
            let sql =
                "UPDATE webhook_deliveries SET due_at = created_at, lease = NULL WHERE webhook = ?1 AND state = 0";
            codec::execute(writing, sql, [id.as_slice()])?;
        }
        (false, true) => queue::hold(writing, id)?,
        (true, true) | (false, false) => {}
    }
    Ok(version + 1)
}

pub(super) fn webhook(row: &Row<'_>) -> Result<Webhook, StoreError> {
    webhook_at(row, 0)
}

/// The webhook whose [`COLUMNS`] begin at `first`.
fn webhook_at(row: &Row<'_>, first: usize) -> Result<Webhook, StoreError> {
    let (reason, at): (Option<String>, Option<i64>) = (row.get(first + 3)?, row.get(first + 4)?);
    let off = match (reason, at) {
        (Some(reason), Some(at)) => Some(SwitchedOff { reason, at: codec::time(at)? }),
        _ => None,
    };
    Ok(Webhook {
        version: row.get(first)?,
        consecutive_failures: row.get(first + 2)?,
        off,
        ..codec::document(row, first + 1)?
    })
}
