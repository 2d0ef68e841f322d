//! Exports the whole store for import into another one.
//!
//! The file is opened read-only, so that it stays unchanged, even if its last writer was killed.
//!
//! **Invariant:** at most [`AHEAD`] batches are in memory besides the one that is being written.

mod tables;

use std::{
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use rusqlite::{Connection, Row, types::ValueRef};
use tokio::sync::mpsc;

use self::tables::{TABLES, Table};
use super::{StoreError, codec, connection, create, documents, schema, spawn, table};
use crate::store::{
    DOCUMENTS,
    document::{Query, Raw, RawBody, Spec},
    transfer::{Kind, Record},
};

/// The most batches that wait.
const AHEAD: usize = 2;

/// How many documents are read at once.
const DOCUMENTS_READ: u32 = 200;

/// The size limits of a batch; the first one reached applies.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Records.
    pub rows: usize,
    /// Bytes, roughly.
    pub bytes: usize,
}

/// Batches of the records of one kind, in order; an error is the last item.
pub type Records = mpsc::Receiver<Result<Vec<Record>, StoreError>>;

/// A store that is exported and must not be written to meanwhile.
pub struct Export {
    file: PathBuf,
    connection: Connection,
}

impl Export {
    /// Opens the store in the directory `dir`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none or it has another schema than this program's,
    /// [`StoreError::Corrupt`] when it is damaged.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let file = dir.join(connection::FILE);
        if !file.is_file() {
            return Err(StoreError::Unavailable(format!("there is no data file {}", file.display())));
        }
        create::expect_content(&file)?;
        let named = |error| connection::named(&file, error);
        let connection = connection::open_reader(&file).map_err(named)?;
        schema::expect_current(&connection).map_err(named)?;
        Ok(Self { connection, file })
    }

    /// Identifies the state of the store; any write changes it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn fingerprint(&self) -> Result<String, StoreError> {
        let look = |file: &Path| {
            let about = std::fs::metadata(file)?;
            let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok((about.len(), since.as_nanos()))
        };
        let unreadable = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        let (length, at) = look(&self.file).map_err(unreadable)?;
        let mut log = self.file.clone().into_os_string();
        log.push("-wal");
        // Reading creates an empty one.
        Ok(match look(Path::new(&log)).ok().filter(|(length, _)| *length > 0) {
            Some((more, then)) => format!("{length} {at} {more} {then}"),
            None => format!("{length} {at}"),
        })
    }

    /// How many records of a kind there are; `None` for a kind that this store does not have.
    pub fn count(&self, kind: Kind) -> Result<Option<u64>, StoreError> {
        if let Kind::Documents(collection) = kind {
            // Includes tombstones.
            let sql = format!("SELECT count(*) FROM doc_{}", spec(collection)?.collection);
            return codec::count(&self.connection, &sql, []).map(Some);
        }
        let Some(table) = table(kind) else { return Ok(None) };
        let mut statement = self.connection.prepare(&format!("SELECT count(*) FROM {}", table.from))?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get(0).map_err(StoreError::from)).transpose()
    }

    /// Reads the records of a kind after the first `skip`, on its own thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn read(&self, kind: Kind, skip: u64, batch: Batch) -> Result<Records, StoreError> {
        let (send, records) = mpsc::channel(AHEAD);
        if let Kind::Documents(collection) = kind {
            let (file, spec) = (self.file.clone(), spec(collection)?);
            spawn("store-export", move || {
                if let Err(error) = send_documents(&file, spec, skip, batch, &send) {
                    let _gone = send.blocking_send(Err(connection::named(&file, error)));
                }
            })?;
            return Ok(records);
        }
        let Some(table) = table(kind) else { return Ok(records) };
        let file = self.file.clone();
        spawn("store-export", move || {
            if let Err(error) = send_all(&file, table, skip, batch, &send) {
                let _gone = send.blocking_send(Err(connection::named(&file, error)));
            }
        })?;
        Ok(records)
    }
}

fn table(kind: Kind) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.kind == kind)
}

fn spec(collection: &str) -> Result<&'static Spec, StoreError> {
    let known = DOCUMENTS.iter().find(|spec| spec.collection == collection);
    known.copied().ok_or_else(|| StoreError::Corrupt(format!("there is no collection {collection}")))
}

fn send_documents(
    file: &Path,
    spec: &'static Spec,
    skip: u64,
    batch: Batch,
    send: &mpsc::Sender<Result<Vec<Record>, StoreError>>,
) -> Result<(), StoreError> {
    let (connection, table) = (connection::open_reader(file)?, table::Table::new(spec));
    let (mut records, mut bytes) = (vec![], 0);
    let mut query = Query { skip, limit: Some(DOCUMENTS_READ), ..Query::default() };
    // For a collection with numbered changes, reads the changes, because they include the tombstones.
    let (mut after, mut passed) = (0, 0);
    loop {
        let rows: Vec<(Raw, Option<u64>)> = if spec.feed {
            let changes = documents::changes(&connection, spec, after, Some(DOCUMENTS_READ))?;
            after = changes.last().map_or(after, |change| change.sequence);
            changes.into_iter().map(|change| (change.document, Some(change.sequence))).collect()
        } else {
            documents::find(&connection, &table, &query)?.into_iter().map(|raw| (raw, None)).collect()
        };
        let Some((last, _)) = rows.last() else { break };
        query = Query { after: Some(last.id.clone()), skip: 0, ..query };
        for (raw, number) in rows {
            passed += 1;
            if spec.feed && passed <= skip {
                continue;
            }
            bytes += if let RawBody::Json(json) = &raw.body { json.len() } else { 0 };
            records.push(Record::Document(spec, raw, number));
            if records.len() >= batch.rows.max(1) || bytes >= batch.bytes {
                bytes = 0;
                if send.blocking_send(Ok(std::mem::take(&mut records))).is_err() {
                    return Ok(());
                }
            }
        }
    }
    if !records.is_empty() {
        let _gone = send.blocking_send(Ok(records));
    }
    Ok(())
}

fn send_all(
    file: &Path,
    table: &Table,
    skip: u64,
    batch: Batch,
    send: &mpsc::Sender<Result<Vec<Record>, StoreError>>,
) -> Result<(), StoreError> {
    let connection = connection::open_reader(file)?;
    let Table { columns, from, order, read, .. } = table;
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM {from} ORDER BY {order}"))?;
    let mut rows = statement.query([])?;
    let (mut records, mut bytes, mut passed) = (vec![], 0, 0_u64);
    while let Some(row) = rows.next()? {
        passed += 1;
        if passed <= skip {
            continue;
        }
        bytes += weight(row)?;
        records.push(read(&connection, row)?);
        if records.len() >= batch.rows.max(1) || bytes >= batch.bytes {
            bytes = 0;
            if send.blocking_send(Ok(std::mem::take(&mut records))).is_err() {
                return Ok(());
            }
        }
    }
    if !records.is_empty() {
        let _gone = send.blocking_send(Ok(records));
    }
    Ok(())
}

/// The approximate size of a row in bytes.
fn weight(row: &Row<'_>) -> Result<usize, StoreError> {
    let mut bytes = 0;
    for column in 0..row.as_ref().column_count() {
        bytes += match row.get_ref(column)? {
            ValueRef::Blob(value) | ValueRef::Text(value) => value.len(),
            _ => 8,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    /// Tables that are read together with another.
    const PARTS: [&str; 2] = ["dashboard_lines", "layouts"];

    #[test]
    fn every_table_is_read_out() {
        let dir = std::env::temp_dir().join(format!("microbazaar-export-{}", crate::domain::ids::UserId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        SqliteStore::open(&dir, SqliteOptions::default()).unwrap().close().unwrap();
        let export = Export::open(&dir).unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = export.connection.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for name in names.map(Result::unwrap).filter(|name| !PARTS.contains(&name.as_str())) {
            assert!(
                TABLES.iter().any(|table| table.from.split(' ').next() == Some(name.as_str()))
                    || DOCUMENTS.iter().any(|spec| format!("doc_{}", spec.collection) == name),
                "{name} is moved by no row of `tables::TABLES`: a shop that is moved would lose it"
            );
        }
        for table in TABLES {
            let connection = &export.connection;
            let sql = format!("SELECT {} FROM {} ORDER BY {}", table.columns, table.from, table.order);
            connection.prepare(&sql).unwrap();
            assert!(export.count(table.kind).unwrap().is_some(), "{}", table.from);
        }
        assert_eq!(export.fingerprint().unwrap(), Export::open(&dir).unwrap().fingerprint().unwrap());
        drop(statement);
        drop(export);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
