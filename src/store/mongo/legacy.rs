//! Reads bodies of documents that earlier versions stored as separate fields, and changes their ids.

use bson::{Document, doc};
use futures_util::future::try_join_all;
use mongodb::Collection;
use serde_json::{Value, json};

use super::codec::{self, Failed};
use crate::store::{StoreError, document::Spec};

type ReadBody = fn(&Document) -> Result<Value, StoreError>;

/// By the name of the collection.
const BODIES: &[(&str, ReadBody)] = &[
    ("dead_tokens", dead_token),
    ("pictures", picture),
    ("webhooks_seen", report),
    ("sandbox", sandbox_page),
    ("import_rows", import_rows),
    ("webhook_endpoints", webhook),
    ("webhook_deliveries", webhook_delivery),
    ("parked", parked),
];
/// Fields of documents whose `doc` was only a part of the current body.
const BESIDE: [&str; 2] = ["slot", "retryAt"];

/// The body of a document that lacks it or parts of it; `None` if its collection always had whole bodies.
pub(super) fn body(collection: &str, row: &Document) -> Option<Result<Value, StoreError>> {
    if row.contains_key("doc") && !BESIDE.iter().any(|field| row.contains_key(field)) {
        return None;
    }
    BODIES.iter().find(|(name, _)| *name == collection).map(|(_, read)| read(row))
}

type ReadMoved = fn(&Document) -> Result<(String, Value), StoreError>;

/// Collections whose documents' ids have changed. Documents with an old id have a field `n`.
const MOVED: &[(&str, ReadMoved)] = &[("mails", mail)];
/// How many documents are moved at once.
const MOVED_AT_ONCE: i64 = 100;

/// Stores some documents under the current ids; returns how many there were. Several nodes may do this at once, and
/// an interrupted run is repeated.
pub(super) async fn move_to_ids(spec: &Spec, collection: &Collection<Document>) -> Result<usize, StoreError> {
    let Some((_, read)) = MOVED.iter().find(|(name, _)| *name == spec.collection) else { return Ok(0) };
    let find = collection.find(doc! { "n": { "$exists": true } }).limit(MOVED_AT_ONCE);
    let rows = codec::all(find, |row| Ok(row.clone())).await?;
    let moves = rows.iter().map(async |row| {
        let (id, body) = read(row)?;
        let moved = doc! { "_id": id, "version": 1_i64, "keys": {}, "doc": codec::bson_of(body)?, "outbox": [] };
        match collection.insert_one(moved).await {
            Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
            _ => {}
        }
        let old = collection.delete_one(doc! { "_id": row.get("_id") }).await;
        old.map(|_| ()).map_err(|error| Failed::write(&error))
    });
    try_join_all(moves).await.map(|moved| moved.len())
}

fn time(micros: i64) -> Result<String, StoreError> {
    codec::time(micros).map(|time| time.to_string())
}

fn dead_token(row: &Document) -> Result<Value, StoreError> {
    Ok(json!({
        "jti": codec::string(row, "_id")?,
        "expiresAt": time(codec::whole(row, "expiresAt")?)?,
        "killedAt": time(codec::whole(row, "killedAt")?)?,
    }))
}

fn picture(row: &Document) -> Result<Value, StoreError> {
    let text = |field| row.get_str(field).ok();
    let id = |field| codec::id(row, field).map(hex::encode);
    // An absent time was 0 or missing.
    let moment = |field| match codec::whole(row, field).unwrap_or(0) {
        0 => Ok(None),
        micros => time(micros).map(Some),
    };
    Ok(json!({
        "image": id("_id")?,
        "product": id("product")?,
        "createdAt": time(codec::whole(row, "createdAt")?)?,
        "file": text("fileId").zip(text("path")).map(|(id, path)| json!({ "id": id, "path": path })),
        "dropped": row.get_bool("dropped").unwrap_or(false),
        "attempts": codec::whole(row, "attempts")?,
        "reason": text("reason"),
        "dueAt": moment("dueAt")?,
        "lease": moment("lease")?,
        "announced": moment("lookBy")?,
    }))
}

fn report(row: &Document) -> Result<Value, StoreError> {
    let report = json!({
        "id": codec::string(row, "_id")?,
        "body": hex::encode(row.get_binary_generic("body").map_err(codec::corrupt)?),
        "receivedAt": time(codec::whole(row, "seenAt")?)?,
        "attempts": codec::whole(row, "attempts")?,
    });
    let due_at = codec::optional_time(row, "dueAt")?.map(|time| time.to_string());
    Ok(json!({ "report": report, "dueAt": due_at, "outcome": row.get_str("outcome").ok() }))
}

fn sandbox_page(row: &Document) -> Result<Value, StoreError> {
    Ok(json!({ "key": codec::string(row, "_id")?, "page": codec::string(row, "json")? }))
}

fn import_rows(row: &Document) -> Result<Value, StoreError> {
    let import = hex::encode(codec::id(row, "_id")?);
    Ok(json!({ "import": import, "run": codec::whole(row, "run")?, "rows": codec::string(row, "rows")? }))
}

/// An active webhook is made due once.
fn webhook(row: &Document) -> Result<Value, StoreError> {
    let mut body: Value = codec::read(row)?;
    let off = row.get_document("off").ok().map(|off| {
        Ok::<_, StoreError>(json!({ "reason": codec::string(off, "reason")?, "at": time(codec::whole(off, "at")?)? }))
    });
    body["dueAt"] = body["createdAt"].clone();
    body["place"] = codec::whole(row, "slot")?.into();
    body["version"] = codec::whole(row, "version")?.into();
    body["consecutiveFailures"] = codec::whole(row, "failures")?.into();
    body["off"] = off.transpose()?.into();
    Ok(body)
}

/// A delivery that waits for an inactive webhook gets a time again, which applies once the webhook is switched on.
fn webhook_delivery(row: &Document) -> Result<Value, StoreError> {
    let id = |field| codec::id(row, field).map(hex::encode);
    let (state, created_at) = (codec::string(row, "state")?, codec::whole(row, "createdAt")?);
    let due_at = match state {
        "waiting" => Some(time(codec::whole(row, "dueAt").unwrap_or(created_at))?),
        _ => None,
    };
    let lease = Some(codec::whole(row, "lease")?).filter(|lease| *lease > 0);
    Ok(json!({
        "id": id("_id")?,
        "webhook": id("webhook")?,
        "event": id("event")?,
        "name": codec::string(row, "name")?,
        "body": codec::string(row, "body")?,
        "attempts": codec::json_of(row.get("attempts").unwrap_or(&bson::Bson::Array(vec![])))?,
        "tries": codec::whole(row, "tries")?,
        "state": state,
        "nextTryAt": due_at,
        "createdAt": time(created_at)?,
        "owner": id("owner")?,
        "lease": lease.map(time).transpose()?,
    }))
}

fn parked(row: &Document) -> Result<Value, StoreError> {
    Ok(json!({
        "name": codec::string(row, "_id")?,
        "id": codec::count(row, "n")?,
        "queue": codec::string(row, "queue")?,
        "envelope": codec::read::<Value>(row)?,
        "attempts": codec::whole(row, "attempts")?,
        "retryAt": codec::optional_time(row, "retryAt")?.map(|time| time.to_string()),
        "reason": codec::string(row, "reason")?,
    }))
}

fn mail(row: &Document) -> Result<(String, Value), StoreError> {
    let event = hex::encode(codec::id(row, "event")?);
    let lease = Some(codec::whole(row, "lease")?).filter(|lease| *lease > 0);
    let record = json!({
        "id": codec::count(row, "n")?,
        "event": event,
        "mail": codec::read::<Value>(row)?,
        "state": codec::string(row, "state")?,
        "attempts": codec::whole(row, "attempts")?,
        "reason": row.get_str("reason").ok(),
        "changedAt": time(codec::whole(row, "changedAt")?)?,
        "nextTryAt": codec::optional_time(row, "dueAt")?.map(|time| time.to_string()),
    });
    let id = format!("{event}:{}", codec::string(row, "recipient")?);
    Ok((id, json!({ "record": record, "lease": lease.map(time).transpose()? })))
}
