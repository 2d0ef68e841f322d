//! The bodies of documents that an earlier version stored as fields of their own.

use bson::Document;
use serde_json::{Value, json};

use super::codec;
use crate::store::StoreError;

type ReadBody = fn(&Document) -> Result<Value, StoreError>;

/// By the name of the collection.
const BODIES: &[(&str, ReadBody)] =
    &[("dead_tokens", dead_token), ("webhooks_seen", report), ("sandbox", sandbox_page), ("import_rows", import_rows)];

/// The body of a document that has none; `None` where its collection always had them.
pub(super) fn body(collection: &str, row: &Document) -> Option<Result<Value, StoreError>> {
    if row.contains_key("doc") {
        return None;
    }
    BODIES.iter().find(|(name, _)| *name == collection).map(|(_, read)| read(row))
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
