//! Documents of any type: a table for each collection, with a column for each index.
//!
//! **Invariant:** once the store is open, each table has the columns and indexes that its type declares,
//! and every row the keys that its document has.

use async_trait::async_trait;
use rusqlite::{
    Connection, Row, ToSql, TransactionBehavior, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use super::{StoreError, codec, engine::Engine, table::Table, writer::WriteTx};
use crate::{
    domain::event::Envelope,
    store::{
        Page,
        document::{Backend, Change, DocumentId, Key, Query, Raw, RawBody, Refused, Spec, Write},
    },
};

/// How many rows get new keys at once.
const REKEYED: u32 = 500;

#[async_trait]
impl Backend for Engine {
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError> {
        let table = self.table(of)?;
        let is_one = ids.len() == 1;
        let work = move |connection: &Connection| {
            ids.iter().filter_map(|id| codec::first(connection, &table.get, [id], raw).transpose()).collect()
        };
        // Several rows are read from one snapshot.
        if is_one { self.read(work).await } else { self.read_snapshot(work).await }
    }

    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError> {
        let table = self.table(of)?;
        self.read(move |connection| find(connection, &table, &query)).await
    }

    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        let table = self.table(of)?;
        self.read(move |connection| count(connection, &table, &query)).await
    }

    async fn page(&self, of: &'static Spec, query: Query) -> Result<Page<Raw>, StoreError> {
        let table = self.table(of)?;
        self.read_snapshot(move |connection| {
            Ok(Page { rows: find(connection, &table, &query)?, total: count(connection, &table, &query)? })
        })
        .await
    }

    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused> {
        let (doc, events, table) = (write.body.json()?, self.prepare(write.events)?, self.table(of)?);
        let Write { id, version, keys, .. } = write;
        self.write(move |writing| {
            let row = Stored { id: &id, version, doc: &doc, keys: &keys };
            if version == 0 {
                insert(writing, &table, &row)?;
            } else {
                update(writing, &table, &row)?;
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn delete(
        &self,
        of: &'static Spec,
        id: DocumentId,
        version: Option<u64>,
        events: &[Envelope],
    ) -> Result<bool, StoreError> {
        let events = self.prepare(events)?;
        self.write(move |writing| {
            let deleted = delete(writing, of, &id, version)?;
            if deleted {
                writing.publish(&events)?;
            }
            Ok(deleted)
        })
        .await
    }

    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        let table = self.table(of)?;
        self.write(move |writing| {
            let deleted = codec::execute(writing, &table.delete_found(&query), params_from_iter(values(&query, true)))?;
            u64::try_from(deleted).map_err(|error| StoreError::Corrupt(error.to_string()))
        })
        .await
    }

    async fn changes(&self, of: &'static Spec, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.read(move |connection| changes(connection, of, after, Some(limit))).await
    }
}

/// Deletes a document with this version, or with any; if changes are numbered it stays as a tombstone.
fn delete(writing: &Connection, of: &Spec, id: &DocumentId, version: Option<u64>) -> Result<bool, StoreError> {
    let table = of.collection;
    if !of.feed {
        let sql = format!("DELETE FROM doc_{table} WHERE id = ?1 AND version = coalesce(?2, version)");
        return Ok(codec::execute(writing, &sql, (id, version))? > 0);
    }
    let keys: String = (of.indexes)().iter().map(|index| format!(", k_{} = NULL", index.name)).collect();
    let sql = format!(
        "UPDATE doc_{table} SET version = version + 1, doc = x'', seq = ?3{keys}
         WHERE id = ?1 AND version = coalesce(?2, version) AND doc <> x''"
    );
    Ok(codec::execute(writing, &sql, (id, version, next_number(writing, of)?))? > 0)
}

/// The number of the next change, if changes are numbered.
fn next_number(writing: &Connection, of: &Spec) -> Result<Option<u64>, StoreError> {
    if !of.feed {
        return Ok(None);
    }
    let sql = "UPDATE counters SET value = value + 1 WHERE name = ?1 RETURNING value";
    codec::count(writing, sql, [of.collection]).map(Some)
}

pub(super) fn changes(
    connection: &Connection,
    of: &Spec,
    after: u64,
    limit: Option<u32>,
) -> Result<Vec<Change>, StoreError> {
    let sql = format!("SELECT id, version, doc, seq FROM doc_{} WHERE seq > ?1 ORDER BY seq LIMIT ?2", of.collection);
    codec::all(connection, &sql, (codec::offset(after), limit.map_or(-1, i64::from)), |row| {
        Ok(Change { sequence: row.get(3)?, document: raw(row)? })
    })
}

impl ToSql for DocumentId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(id(self))
    }
}

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

/// A row to be written.
struct Stored<'a> {
    id: &'a DocumentId,
    /// The version that was read.
    version: u64,
    doc: &'a [u8],
    keys: &'a [Option<Key>],
}

fn insert(writing: &WriteTx<'_>, table: &Table, row: &Stored<'_>) -> Result<(), Refused> {
    let number = next_number(writing, table.of)?;
    let mut values: Vec<&dyn ToSql> = vec![row.id, &row.doc];
    values.extend(row.keys.iter().map(|key| -> &dyn ToSql { key }));
    if table.of.feed {
        values.push(&number);
    }
    match execute(writing, table, &table.insert, &values) {
        Ok(0) => Err(Refused::Store(StoreError::Conflict)),
        // Inserting a document twice is a conflict, whichever of its keys are taken.
        Err(Refused::Duplicate(_))
            if codec::first(writing, &table.version, [row.id], |row| Ok(row.get::<_, u64>(0)?))?.is_some() =>
        {
            Err(Refused::Store(StoreError::Conflict))
        }
        written => written.map(|_| ()),
    }
}

/// Writes a row over its version `row.version`. Only changed keys are written, because each index costs a page.
fn update(writing: &WriteTx<'_>, table: &Table, row: &Stored<'_>) -> Result<(), Refused> {
    let changed = codec::first(writing, &table.keys, [row.id], |stored| changed_keys(stored, row))?.flatten();
    let changed = changed.ok_or(StoreError::Conflict)?;
    let number = next_number(writing, table.of)?;
    let mut values: Vec<&dyn ToSql> = vec![row.id, &row.doc];
    if table.of.feed {
        values.push(&number);
    }
    values.extend(changed.iter().map(|place| -> &dyn ToSql { &row.keys[*place] }));
    execute(writing, table, &table.update(&changed), &values).map(|_| ())
}

/// The positions of the keys that differ from the stored row's; `None` if that has another version.
fn changed_keys(stored: &Row<'_>, row: &Stored<'_>) -> Result<Option<Vec<usize>>, StoreError> {
    if stored.get::<_, u64>(0)? != row.version {
        return Ok(None);
    }
    let mut changed = vec![];
    for (place, key) in row.keys.iter().enumerate() {
        if stored.get_ref(place + 1)?.as_blob_or_null().map_err(rusqlite::Error::from)?
            != key.as_ref().map(Key::as_bytes)
        {
            changed.push(place);
        }
    }
    Ok(Some(changed))
}

fn execute(writing: &Connection, table: &Table, sql: &str, values: &[&dyn ToSql]) -> Result<usize, Refused> {
    let written = writing.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    written.map_err(|error| match codec::violated(&error).and_then(|column| column.strip_prefix("doc_")) {
        Some(column) => {
            let name = column.strip_prefix(table.of.collection).and_then(|column| column.strip_prefix(".k_"));
            let place = name.and_then(|name| table.indexes.iter().position(|index| index.name == name));
            place.map_or(Refused::Store(StoreError::Conflict), Refused::Duplicate)
        }
        None => Refused::Store(error.into()),
    })
}

pub(super) fn find(connection: &Connection, table: &Table, query: &Query) -> Result<Vec<Raw>, StoreError> {
    codec::all(connection, &table.query(query, false), params_from_iter(values(query, true)), raw)
}

fn count(connection: &Connection, table: &Table, query: &Query) -> Result<u64, StoreError> {
    codec::count(connection, &table.query(query, true), params_from_iter(values(query, false)))
}

/// The values of a query's parameters.
fn values(query: &Query, limited: bool) -> Vec<ToSqlOutput<'_>> {
    fn blob(bytes: &[u8]) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Blob(bytes))
    }
    let mut values = vec![];
    if query.index.is_some() {
        values.push(blob(query.from.as_ref().map_or(&[], Key::as_bytes)));
        values.extend(query.to.iter().map(|key| blob(key.as_bytes())));
    } else {
        values.extend(query.after.iter().chain(&query.before).map(id));
    }
    if limited {
        values.push(query.limit.map_or(-1, i64::from).into());
        values.push(codec::offset(query.skip).into());
    }
    values
}

fn id(of: &DocumentId) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match of {
        DocumentId::Id(bytes) => ValueRef::Blob(bytes),
        DocumentId::Text(text) => ValueRef::Text(text.as_bytes()),
    })
}

fn raw(row: &Row<'_>) -> Result<Raw, StoreError> {
    let id = match row.get_ref(0)? {
        ValueRef::Blob(bytes) => {
            DocumentId::Id(bytes.try_into().map_err(|_| StoreError::Corrupt("an id of the wrong length".to_owned()))?)
        }
        ValueRef::Text(text) => DocumentId::Text(String::from_utf8_lossy(text).into_owned()),
        other => return Err(StoreError::Corrupt(format!("a {} where an id should be", other.data_type()))),
    };
    let doc: Vec<u8> = row.get(2)?;
    let body = if doc.is_empty() { RawBody::Gone } else { RawBody::Json(doc) };
    Ok(Raw { id, version: row.get(1)?, body })
}

/// Creates each collection's table, columns and indexes, and its rows' keys.
///
/// # Errors
/// [`StoreError::Corrupt`] for a document that cannot be read, or two that have one unique key.
pub(super) fn ensure(connection: &mut Connection, specs: &[&'static Spec]) -> Result<(), StoreError> {
    if specs.iter().all(|spec| layout_of(connection, spec).is_ok_and(|known| known == spec.layout())) {
        return Ok(());
    }
    // Read again inside the transaction: two processes may open a file at once.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS layouts (collection TEXT NOT NULL PRIMARY KEY, layout TEXT NOT NULL) WITHOUT ROWID",
    )?;
    for spec in specs {
        if layout_of(&transaction, spec)? != spec.layout() {
            transaction.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS doc_{} (
                     id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL
                 )",
                spec.collection
            ))?;
            lay_out(&transaction, spec)?;
            let sql = "INSERT INTO layouts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET layout = excluded.layout";
            codec::execute(&transaction, sql, (spec.collection, spec.layout()))?;
        }
    }
    Ok(transaction.commit()?)
}

/// The layout of a collection in the file; `(none)` if it has none.
fn layout_of(connection: &Connection, spec: &Spec) -> Result<String, StoreError> {
    let sql = "SELECT layout FROM layouts WHERE collection = ?1";
    let known = codec::first(connection, sql, [spec.collection], |row| Ok(row.get(0)?))?;
    Ok(known.unwrap_or_else(|| "(none)".to_owned()))
}

fn lay_out(connection: &Connection, spec: &'static Spec) -> Result<(), StoreError> {
    let table = spec.collection;
    let indexes = (spec.indexes)();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL";
    for old in codec::all(connection, sql, [format!("doc_{table}")], |row| Ok(row.get::<_, String>(0)?))? {
        connection.execute_batch(&format!("DROP INDEX {old}"))?;
    }
    let columns = codec::all(connection, "SELECT name FROM pragma_table_info(?1)", [format!("doc_{table}")], |row| {
        Ok(row.get::<_, String>(0)?)
    })?;
    let wanted: Vec<String> = indexes.iter().map(|index| format!("k_{}", index.name)).collect();
    for column in columns.iter().filter(|column| column.starts_with("k_") && !wanted.contains(column)) {
        connection.execute_batch(&format!("ALTER TABLE doc_{table} DROP COLUMN {column}"))?;
    }
    for column in wanted.iter().filter(|column| !columns.contains(column)) {
        connection.execute_batch(&format!("ALTER TABLE doc_{table} ADD COLUMN {column} BLOB"))?;
    }
    if spec.feed {
        if !columns.iter().any(|column| column == "seq") {
            connection.execute_batch(&format!("ALTER TABLE doc_{table} ADD COLUMN seq INTEGER"))?;
        }
        connection.execute_batch(&format!(
            "CREATE UNIQUE INDEX doc_{table}_seq ON doc_{table} (seq);
             INSERT INTO counters VALUES ('{table}', 0) ON CONFLICT DO NOTHING"
        ))?;
    }
    rekey(connection, spec, &wanted)?;
    for index in indexes {
        // Unique keys are complete; other indexes end with the id.
        let (unique, id) = if index.unique { ("UNIQUE ", "") } else { ("", ", id") };
        connection.execute_batch(&format!(
            "CREATE {unique}INDEX doc_{table}_{name} ON doc_{table} (k_{name}{id}) WHERE k_{name} IS NOT NULL",
            name = index.name
        ))?;
    }
    Ok(())
}

fn rekey(connection: &Connection, spec: &'static Spec, columns: &[String]) -> Result<(), StoreError> {
    if columns.is_empty() {
        return Ok(());
    }
    let sets: Vec<String> = (2..).zip(columns).map(|(place, column)| format!("{column} = ?{place}")).collect();
    let sql = format!("UPDATE doc_{} SET {} WHERE id = ?1", spec.collection, sets.join(", "));
    let (mut after, table) = (None, Table::new(spec));
    loop {
        let rows = find(connection, &table, &Query { after, limit: Some(REKEYED), ..Query::default() })?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for row in rows {
            let id = row.id.clone();
            let keys = (spec.keys_of)(row)?;
            let mut values: Vec<&dyn ToSql> = vec![&id];
            values.extend(keys.iter().map(|key| -> &dyn ToSql { key }));
            connection.prepare_cached(&sql)?.execute(values.as_slice())?;
        }
    }
}
