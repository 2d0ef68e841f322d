//! Imports of products, and the rows of those that are not finished.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{ImportId, UserId},
        import::{Import, ImportRow},
    },
    store::ImportStore,
};

#[async_trait]
impl ImportStore for Engine {
    async fn save(&self, import: &Import, rows: Option<&[ImportRow]>, events: &[Envelope]) -> Result<u64, StoreError> {
        let Import { id, seller, version, .. } = *import;
        let (doc, events) = (codec::json(import)?, self.prepare(events)?);
        let rows = rows.map(|rows| codec::json(&rows)).transpose()?;
        let finished = import.finished_at.is_some();
        let due_at = (!finished).then(|| codec::micros_up(import.due_at));
        let started_at = codec::micros_up(import.started_at);
        self.write(move |writing| {
            let row = (id.as_slice(), seller.as_slice(), started_at, due_at, version, doc);
            let sql = if version == 0 {
                "INSERT INTO imports (id, seller, started_at, due_at, version, doc)
                 VALUES (?1, ?2, ?3, ?4, ?5 + 1, ?6) ON CONFLICT (id) DO NOTHING"
            } else {
                "UPDATE imports SET started_at = ?3, due_at = ?4, version = version + 1, doc = ?6
                 WHERE id = ?1 AND seller = ?2 AND version = ?5"
            };
            if codec::execute(writing, sql, row)? == 0 {
                return Err(StoreError::Conflict);
            }
            if let Some(rows) = rows {
                let sql = "INSERT INTO import_rows (import, rows) VALUES (?1, ?2)
                           ON CONFLICT (import) DO UPDATE SET rows = excluded.rows";
                codec::execute(writing, sql, (id.as_slice(), rows))?;
            }
            if finished {
                codec::execute(writing, "DELETE FROM import_rows WHERE import = ?1", [id.as_slice()])?;
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn get(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        self.read(move |connection| find(connection, id)).await
    }

    async fn rows(&self, id: ImportId) -> Result<Vec<ImportRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT rows FROM import_rows WHERE import = ?1";
            let rows = codec::first(connection, sql, [id.as_slice()], |row| codec::document(row, 0))?;
            rows.ok_or_else(|| StoreError::Corrupt("an import without its rows".to_owned()))
        })
        .await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Import>, StoreError> {
        let now = now.as_microsecond();
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM imports WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
            codec::all(connection, sql, (now, limit), import)
        })
        .await
    }

    async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM imports WHERE seller = ?1 ORDER BY started_at DESC, id LIMIT ?2";
            codec::all(connection, sql, (seller.as_slice(), limit), import)
        })
        .await
    }
}

pub(super) fn find(connection: &Connection, id: ImportId) -> Result<Option<Import>, StoreError> {
    codec::first(connection, "SELECT version, doc FROM imports WHERE id = ?1", [id.as_slice()], import)
}

pub(super) fn import(row: &Row<'_>) -> Result<Import, StoreError> {
    Ok(Import { version: row.get(0)?, ..codec::document(row, 1)? })
}
