//! Imports of products, and the rows of those that are not finished.
//!
//! Rows are written before the import that has them and deleted after it is finished, so that an
//! import never lacks them. They are those of the file with the import's digest, whoever wrote them.

use async_trait::async_trait;
use bson::{Bson, Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{ImportId, UserId},
        import::{Import, ImportRow},
    },
    store::{ImportStore, StoreError},
};

#[async_trait]
impl ImportStore for Engine {
    async fn save(&self, import: &Import, rows: Option<&[ImportRow]>, events: &[Envelope]) -> Result<u64, StoreError> {
        let (imports, all_rows) = (self.collections.imports.clone(), self.collections.import_rows.clone());
        let (fields, events) = (fields(import)?, self.prepare(events)?);
        let (id, version, woken) = (codec::oid(import.id.bytes()), import.version, !events.is_empty());
        let (rows, finished) = (rows.map(rows_text).transpose()?, import.finished_at.is_some());
        let run = i64::from(import.run);
        let saved = self
            .run(async move {
                let this = doc! { "_id": id };
                if let Some(rows) = rows {
                    let put = all_rows
                        .update_one(this.clone(), doc! { "$set": { "rows": rows, "run": run } })
                        .upsert(true)
                        .await;
                    match put {
                        Err(error) if !codec::is_duplicate(&error) => return Err(Failed::write(&error)),
                        _ => {}
                    }
                }
                let saved = codec::save(&imports, id, version, fields, events).await?;
                if finished {
                    // Not those of a run that has begun since.
                    let mut ours = this;
                    ours.insert("run", run);
                    all_rows.delete_one(ours).await.map_err(|error| Failed::write(&error))?;
                }
                Ok(saved)
            })
            .await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn get(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        let (imports, this) = (self.collections.imports.clone(), doc! { "_id": codec::oid(id.bytes()) });
        self.run(async move { codec::first(&imports, this, import).await }).await
    }

    async fn rows(&self, id: ImportId) -> Result<Vec<ImportRow>, StoreError> {
        let (rows, this) = (self.collections.import_rows.clone(), doc! { "_id": codec::oid(id.bytes()) });
        let text =
            self.run(async move { codec::first(&rows, this, |row| Ok(codec::string(row, "rows")?.to_owned())).await });
        let text: String = text.await?.ok_or_else(|| codec::corrupt("an import without its rows"))?;
        serde_json::from_str(&text).map_err(codec::corrupt)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Import>, StoreError> {
        let imports = self.collections.imports.clone();
        let due = doc! { "dueAt": { "$ne": Bson::Null, "$lte": now.as_microsecond() } };
        self.run(
            async move { codec::all(imports.find(due).sort(doc! { "dueAt": 1 }).limit(limit.into()), import).await },
        )
        .await
    }

    async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError> {
        let imports = self.collections.imports.clone();
        let theirs = doc! { "seller": codec::oid(seller.bytes()) };
        self.run(async move {
            let find = imports.find(theirs).sort(doc! { "startedAt": -1, "_id": 1 }).limit(limit.into());
            codec::all(find, import).await
        })
        .await
    }
}

/// Rows as they are kept.
pub(super) fn rows_text(rows: &[ImportRow]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(codec::corrupt)
}

/// The fields of an import besides its id, version and events.
pub(super) fn fields(import: &Import) -> Result<Document, StoreError> {
    let due_at = import.finished_at.is_none().then(|| codec::micros_up(import.due_at));
    Ok(doc! {
        "seller": codec::oid(import.seller.bytes()),
        "startedAt": codec::micros_up(import.started_at),
        "dueAt": due_at,
        "doc": codec::document(import)?,
    })
}

fn import(row: &Document) -> Result<Import, StoreError> {
    Ok(Import { version: codec::count(row, "version")?, ..codec::read(row)? })
}
