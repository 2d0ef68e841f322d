//! The bodies of documents that an earlier version stored as fields of their own, and ids that were others.

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
];

/// The body of a document that has none; `None` where its collection always had them.
pub(super) fn body(collection: &str, row: &Document) -> Option<Result<Value, StoreError>> {
    if row.contains_key("doc") {
        return None;
    }
    BODIES.iter().find(|(name, _)| *name == collection).map(|(_, read)| read(row))
}

type ReadMoved = fn(&Document) -> Result<(String, Value), StoreError>;

/// What is stored under another id than before, by the name of the collection. What was so has a field `n`.
const MOVED: &[(&str, ReadMoved)] = &[("mails", mail)];
/// Documents that are moved at once.
const MOVED_AT_ONCE: i64 = 100;

/// Stores some documents under the ids of now; returns how many there were. Several nodes may do so at once, and one
/// that was cut off begins again.
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
    // An empty time was 0, or missing.
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
