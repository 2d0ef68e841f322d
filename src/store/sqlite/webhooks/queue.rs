//! Deliveries to webhooks: put in, claimed, tried, forgotten.
//!
//! **Invariant:** a delivery has a `due_at` exactly while it waits and its webhook is on.

use rusqlite::{Connection, Row};

use super::{COLUMNS, StoreError, codec, webhook_at};
use crate::{
    domain::{
        Timestamp,
        ids::{UserId, WebhookDeliveryId, WebhookId},
        webhook::{Attempt, DeliveryState, WebhookDelivery},
    },
    store::{
        Page,
        sqlite::writer::Writing,
        webhooks::{ClaimLimits, Claimed, Enqueued, Health},
    },
};

/// The columns that [`delivery`] reads.
const DELIVERY: &str = "d.id, d.webhook, d.event, d.name, d.body, d.attempts, d.tries, d.state, d.due_at, d.created_at";
/// How many they are.
const DELIVERY_WIDTH: usize = 10;
/// The same, and behind them what [`delivery_besides`] reads.
pub(in crate::store::sqlite) const DELIVERY_AND_MORE: &str = "d.id, d.webhook, d.event, d.name, d.body, d.attempts, \
     d.tries, d.state, d.due_at, d.created_at, d.seq, d.owner, coalesce(d.lease, 0)";

const fn state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Waiting => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Failed => 2,
    }
}

/// Puts a delivery in.
pub(super) fn enqueue(writing: &Writing<'_>, delivery: &WebhookDelivery, at_most: u32) -> Result<Enqueued, StoreError> {
    let webhook = delivery.webhook;
    let sql = "SELECT owner, off_reason IS NULL FROM webhook_endpoints WHERE id = ?1";
    let found: Option<(UserId, bool)> =
        codec::first(writing, sql, [webhook.as_slice()], |row| Ok((codec::id(row, 0)?, row.get(1)?)))?;
    let Some((owner, true)) = found else { return Ok(Enqueued::NotActive) };
    let sql = "SELECT count(*) FROM webhook_deliveries WHERE id = ?1";
    if codec::count(writing, sql, [delivery.id.as_slice()])? > 0 {
        return Ok(Enqueued::Known);
    }
    let sql = "SELECT count(*) FROM webhook_deliveries WHERE webhook = ?1 AND state = 0";
    if codec::count(writing, sql, [webhook.as_slice()])? >= u64::from(at_most) {
        let reason = format!("{at_most} deliveries wait, and no more are taken on");
        switch_off(writing, webhook, &reason, delivery.created_at)?;
        return Ok(Enqueued::Overflow);
    }
    codec::execute(
        writing,
        "INSERT INTO webhook_deliveries
             (id, webhook, owner, event, name, created_at, state, due_at, tries, attempts, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        rusqlite::params![
            delivery.id.as_slice(),
            webhook.as_slice(),
            owner.as_slice(),
            delivery.event.as_slice(),
            delivery.name,
            delivery.created_at.as_microsecond(),
            state_number(delivery.state),
            delivery.next_try_at.map(codec::micros_up),
            delivery.tries,
            codec::json(&delivery.attempts)?,
            delivery.body,
        ],
    )?;
    Ok(Enqueued::New)
}

/// The rows that may be claimed. Those under way take up the first places of their webhook
/// and owner.
pub(super) fn due(connection: &Connection, now: Timestamp, limits: ClaimLimits) -> Result<Vec<i64>, StoreError> {
    let ClaimLimits { all, per_webhook, per_owner } = limits;
    codec::all(
        connection,
        "SELECT seq FROM (
             SELECT seq, due_at, sending,
                 row_number() OVER (PARTITION BY owner ORDER BY sending DESC, due_at, seq) AS of_owner
             FROM (
                 SELECT seq, due_at, owner, coalesce(lease, 0) > ?1 AS sending,
                     row_number() OVER (PARTITION BY webhook ORDER BY coalesce(lease, 0) > ?1 DESC, due_at, seq) AS place
                 FROM webhook_deliveries WHERE due_at <= ?1)
             WHERE place <= ?2)
         WHERE of_owner <= ?3 AND NOT sending ORDER BY due_at, seq LIMIT ?4",
        (now.as_microsecond(), per_webhook, per_owner, all),
        |row| Ok(row.get(0)?),
    )
}

/// Claims what is due.
pub(super) fn claim(
    writing: &Writing<'_>,
    now: Timestamp,
    lease: Timestamp,
    limits: ClaimLimits,
) -> Result<Vec<Claimed>, StoreError> {
    let columns: Vec<String> = COLUMNS.split(", ").map(|column| format!("w.{column}")).collect();
    let sql = format!(
        "SELECT {DELIVERY}, {} FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.webhook WHERE d.seq = ?1",
        columns.join(", ")
    );
    let until = lease.as_microsecond();
    let lease = codec::time(until)?;
    let mut claimed = vec![];
    for seq in due(writing, now, limits)? {
        codec::execute(writing, "UPDATE webhook_deliveries SET lease = ?2 WHERE seq = ?1", (seq, until))?;
        claimed.extend(codec::first(writing, &sql, [seq], |row| {
            Ok(Claimed { webhook: webhook_at(row, DELIVERY_WIDTH)?, delivery: delivery(row)?, lease })
        })?);
    }
    Ok(claimed)
}

/// Enters an attempt, if its claim still holds.
pub(super) fn record(
    writing: &Writing<'_>,
    delivery: &WebhookDelivery,
    lease: Timestamp,
    health: Health,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let written = codec::execute(
        writing,
        "UPDATE webhook_deliveries SET state = ?3, due_at = ?4, lease = NULL, tries = ?5, attempts = ?6
         WHERE id = ?1 AND lease = ?2",
        (
            delivery.id.as_slice(),
            lease.as_microsecond(),
            state_number(delivery.state),
            delivery.next_try_at.map(codec::micros_up),
            delivery.tries,
            codec::json(&delivery.attempts)?,
        ),
    )?;
    if written == 0 {
        return Ok(false);
    }
    let id = delivery.webhook;
    match health {
        Health::Unknown => {}
        Health::Good => {
            let sql = "UPDATE webhook_endpoints SET failures = 0 WHERE id = ?1 AND failures <> 0";
            codec::execute(writing, sql, [id.as_slice()])?;
        }
        Health::Gone => return switch_off(writing, id, "the receiver answered 410 Gone", now),
        Health::Bad { switch_off_after } => {
            let sql = "UPDATE webhook_endpoints SET failures = failures + 1 WHERE id = ?1";
            codec::execute(writing, sql, [id.as_slice()])?;
            let sql = "SELECT failures FROM webhook_endpoints WHERE id = ?1";
            let failures: Option<u32> = codec::first(writing, sql, [id.as_slice()], |row| Ok(row.get(0)?))?;
            if failures.is_some_and(|failures| failures >= switch_off_after) {
                let reason = format!("{switch_off_after} attempts in a row failed");
                return switch_off(writing, id, &reason, now);
            }
        }
    }
    // Switched off while this was under way: what waits again, waits without a date.
    let sql = "UPDATE webhook_deliveries SET due_at = NULL WHERE id = ?1 AND EXISTS
               (SELECT 1 FROM webhook_endpoints WHERE id = ?2 AND off_reason IS NOT NULL)";
    codec::execute(writing, sql, (delivery.id.as_slice(), id.as_slice()))?;
    Ok(false)
}

/// Switches a webhook off; returns whether it was on.
fn switch_off(writing: &Writing<'_>, id: WebhookId, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
    let switched = codec::execute(
        writing,
        "UPDATE webhook_endpoints SET off_reason = ?2, off_at = ?3, version = version + 1
         WHERE id = ?1 AND off_reason IS NULL",
        (id.as_slice(), reason, codec::micros_up(now)),
    )?;
    hold(writing, id)?;
    Ok(switched > 0)
}

/// Takes the dates from what waits for a webhook. Claims stay: what is under way is entered.
pub(super) fn hold(writing: &Writing<'_>, id: WebhookId) -> Result<(), StoreError> {
    let sql = "UPDATE webhook_deliveries SET due_at = NULL WHERE webhook = ?1 AND state = 0";
    codec::execute(writing, sql, [id.as_slice()]).map(|_| ())
}

/// Makes a delivery wait again.
pub(super) fn redeliver(
    writing: &Writing<'_>,
    webhook: WebhookId,
    id: WebhookDeliveryId,
    now: Timestamp,
) -> Result<Option<WebhookDelivery>, StoreError> {
    let sql = format!("SELECT {DELIVERY} FROM webhook_deliveries d WHERE d.id = ?1 AND d.webhook = ?2");
    let Some(mut found) = codec::first(writing, &sql, (id.as_slice(), webhook.as_slice()), delivery)? else {
        return Ok(None);
    };
    let sql = "SELECT off_reason IS NULL FROM webhook_endpoints WHERE id = ?1";
    let on: Option<bool> = codec::first(writing, sql, [webhook.as_slice()], |row| Ok(row.get(0)?))?;
    found.again(now);
    found.next_try_at = found.next_try_at.filter(|_| on == Some(true));
    // A claim stays: what is under way is entered first, and is not sent twice at once.
    let sql = "UPDATE webhook_deliveries SET state = 0, tries = 0, due_at = ?2 WHERE id = ?1";
    codec::execute(writing, sql, (id.as_slice(), found.next_try_at.map(codec::micros_up)))?;
    Ok(Some(found))
}

/// A page of a webhook's log.
pub(super) fn log(
    connection: &Connection,
    webhook: WebhookId,
    skip: u64,
    limit: u32,
) -> Result<Page<WebhookDelivery>, StoreError> {
    let sql = format!(
        "SELECT {DELIVERY} FROM webhook_deliveries d WHERE d.webhook = ?1 ORDER BY d.seq DESC LIMIT ?2 OFFSET ?3"
    );
    let rows = codec::all(connection, &sql, (webhook.as_slice(), limit, codec::offset(skip)), delivery)?;
    let sql = "SELECT count(*) FROM webhook_deliveries WHERE webhook = ?1";
    Ok(Page { rows, total: codec::count(connection, sql, [webhook.as_slice()])? })
}

/// A delivery's place in the log, whose it is, and until when it is claimed.
pub(in crate::store::sqlite) fn delivery_besides(row: &Row<'_>) -> Result<(u64, UserId, i64), StoreError> {
    Ok((row.get(DELIVERY_WIDTH)?, codec::id(row, DELIVERY_WIDTH + 1)?, row.get(DELIVERY_WIDTH + 2)?))
}

pub(in crate::store::sqlite) fn delivery(row: &Row<'_>) -> Result<WebhookDelivery, StoreError> {
    let state: i64 = row.get(7)?;
    let due_at: Option<i64> = row.get(8)?;
    let attempts: Vec<Attempt> = codec::document(row, 5)?;
    Ok(WebhookDelivery {
        id: codec::id(row, 0)?,
        webhook: codec::id(row, 1)?,
        event: codec::id(row, 2)?,
        name: row.get(3)?,
        body: row.get(4)?,
        attempts,
        tries: row.get(6)?,
        state: match state {
            0 => DeliveryState::Waiting,
            1 => DeliveryState::Delivered,
            _ => DeliveryState::Failed,
        },
        next_try_at: due_at.map(codec::time).transpose()?,
        created_at: codec::time(row.get(9)?)?,
    })
}
