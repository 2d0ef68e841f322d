//! Converts between domain types and columns: documents, times, counts and errors.
//!
//! **Invariant:** a stored time is never before the original, so that what is due for the store is due for the domain
//! too.

use rusqlite::{ErrorCode, Row, types::ValueRef};
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;
use crate::domain::{Timestamp, event::Envelope};
pub(super) use crate::store::micros_up;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if violated(&error).is_some() {
            return Self::Conflict;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// The JSON of a document.
pub(super) fn json(document: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(document).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The JSON of the events that `keep` selects.
pub(super) fn events(events: &[Envelope], keep: impl Fn(&'static str) -> bool) -> Result<Vec<Vec<u8>>, StoreError> {
    events.iter().filter(|envelope| keep(envelope.event.name())).map(json).collect()
}

/// The document in a column.
pub(super) fn document<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    let bytes = match row.get_ref(column)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        other => return Err(StoreError::Corrupt(format!("a {} where a document should be", other.data_type()))),
    };
    serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The id in a column.
pub(super) fn id<T>(row: &Row<'_>, column: usize) -> Result<T, StoreError>
where
    T: for<'a> TryFrom<&'a [u8]>,
{
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => {
            T::try_from(bytes).map_err(|_| StoreError::Corrupt("an id of the wrong length".into()))
        }
        other => Err(StoreError::Corrupt(format!("a {} where an id should be", other.data_type()))),
    }
}

/// Every row of a query.
pub(super) fn all<T>(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, if there is one.
pub(super) fn first<T>(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// The count of a query that always has one row.
pub(super) fn count(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<u64, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
}

/// Runs a statement and returns how many rows it changed.
pub(super) fn execute(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

/// The time of a column.
pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// How many rows to skip, capped at the largest integer of the database.
pub(super) fn offset(skip: u64) -> i64 {
    i64::try_from(skip).unwrap_or(i64::MAX)
}

/// The columns of a violated `UNIQUE`, as in `doc_carts.k_user`; `None` when the error is
/// another one.
pub(super) fn violated(error: &rusqlite::Error) -> Option<&str> {
    match error {
        rusqlite::Error::SqliteFailure(cause, Some(message)) if cause.code == ErrorCode::ConstraintViolation => {
            message.strip_prefix("UNIQUE constraint failed: ")
        }
        _ => None,
    }
}
