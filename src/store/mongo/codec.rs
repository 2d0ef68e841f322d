//! Converts between domain types and the server's documents, and maps its errors.
//!
//! **Invariant:** no text or key is ever read as an operator or an extended-JSON type.

use bson::{Bson, Document, oid::ObjectId};
use mongodb::{
    Collection,
    error::{Error, ErrorKind, WriteFailure},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    domain::{Timestamp, event::Envelope},
    store::StoreError,
};

pub(super) use crate::store::micros_up;

/// The server's error code for a duplicate key.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// An error of the driver, by its meaning.
pub(super) struct Failed;

impl Failed {
    /// Maps the error of a call that changes nothing.
    pub(super) fn read(error: &Error) -> StoreError {
        StoreError::Unavailable(plain(error))
    }

    /// Maps the error of a call that may have changed something.
    pub(super) fn write(error: &Error) -> StoreError {
        if is_duplicate(error) {
            return StoreError::Conflict;
        }
        match *error.kind {
            // The command was never sent.
            ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::Authentication { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::InvalidTlsConfig { .. } => StoreError::Unavailable(plain(error)),
            // The server refused the command.
            ErrorKind::Command(_) | ErrorKind::Write(WriteFailure::WriteError(_)) => {
                StoreError::Unavailable(plain(error))
            }
            // It is unknown whether it was written.
            _ => StoreError::Deadline,
        }
    }
}

/// The error in one line, without the address.
fn plain(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::ServerSelection { .. } => "no server of MongoDB answers".to_owned(),
        ErrorKind::Authentication { .. } => "MongoDB refuses the user or the password".to_owned(),
        ErrorKind::Command(refused) => format!("MongoDB refuses: {} ({})", refused.message, refused.code),
        kind => kind.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

/// Whether the error is about a duplicate key.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(refused)) => refused.code == DUPLICATE_KEY,
        ErrorKind::Command(refused) => refused.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(refused) => {
            refused.write_errors.iter().flatten().any(|refused| refused.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}

/// A domain document in the server's format.
pub(super) fn document(of: &impl Serialize) -> Result<Bson, StoreError> {
    bson_of(serde_json::to_value(of).map_err(corrupt)?)
}

/// Reads a domain document from the field `doc`.
pub(super) fn read<T: DeserializeOwned>(from: &Document) -> Result<T, StoreError> {
    let stored = from.get("doc").ok_or_else(|| missing("doc"))?;
    serde_json::from_value(json_of(stored)?).map_err(corrupt)
}

/// Foreign JSON, as text.
pub(super) fn text(of: &Value) -> Result<String, StoreError> {
    serde_json::to_string(of).map_err(corrupt)
}

/// Reads foreign JSON from a text field.
pub(super) fn json(from: &Document, field: &str) -> Result<Value, StoreError> {
    serde_json::from_str(from.get_str(field).map_err(|_| missing(field))?).map_err(corrupt)
}

pub(super) fn bson_of(value: Value) -> Result<Bson, StoreError> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(is) => Bson::Boolean(is),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Bson::Int64(whole),
            (None, Some(real)) if !number.is_u64() => Bson::Double(real),
            _ => return Err(StoreError::Corrupt(format!("the number {number} does not fit"))),
        },
        Value::String(text) => Bson::String(text),
        Value::Array(values) => Bson::Array(values.into_iter().map(bson_of).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((name, bson_of(value)?)));
            Bson::Document(fields.collect::<Result<Document, StoreError>>()?)
        }
    })
}

pub(super) fn json_of(value: &Bson) -> Result<Value, StoreError> {
    Ok(match value {
        Bson::Null => Value::Null,
        Bson::Boolean(is) => Value::Bool(*is),
        Bson::Int32(whole) => Value::from(*whole),
        Bson::Int64(whole) => Value::from(*whole),
        Bson::Double(real) => Value::from(*real),
        Bson::String(text) => Value::from(text.as_str()),
        Bson::Array(values) => Value::Array(values.iter().map(json_of).collect::<Result<_, _>>()?),
        Bson::Document(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), json_of(value)?)));
            Value::Object(fields.collect::<Result<_, StoreError>>()?)
        }
        other => return Err(StoreError::Corrupt(format!("a {:?} where JSON should be", other.element_type()))),
    })
}

/// An id in the server's format.
pub(super) fn oid(bytes: [u8; 12]) -> ObjectId {
    ObjectId::from_bytes(bytes)
}

/// The bytes of the id in a field.
pub(super) fn id(from: &Document, field: &str) -> Result<[u8; 12], StoreError> {
    from.get_object_id(field).map(|id| id.bytes()).map_err(|_| missing(field))
}

/// The integer in a field, in any width.
pub(super) fn whole(from: &Document, field: &str) -> Result<i64, StoreError> {
    number(from.get(field)).ok_or_else(|| missing(field))
}

/// As [`whole`], for values that are never negative.
pub(super) fn count(from: &Document, field: &str) -> Result<u64, StoreError> {
    u64::try_from(whole(from, field)?).map_err(corrupt)
}

/// The optional time in a field.
pub(super) fn optional_time(from: &Document, field: &str) -> Result<Option<Timestamp>, StoreError> {
    match from.get(field) {
        None | Some(Bson::Null) => Ok(None),
        Some(_) => time(whole(from, field)?).map(Some),
    }
}

/// The text in a field.
pub(super) fn string<'a>(from: &'a Document, field: &str) -> Result<&'a str, StoreError> {
    from.get_str(field).map_err(|_| missing(field))
}

fn number(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(whole) => Some(i64::from(*whole)),
        Bson::Int64(whole) => Some(*whole),
        // A sum that the server computed.
        Bson::Double(real) if real.fract() == 0.0 => format!("{real:.0}").parse().ok(),
        _ => None,
    }
}

/// A version in the server's format.
pub(super) fn long(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(corrupt)
}

/// The time of a field.
pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(corrupt)
}

/// When the server may delete a document by itself: its dates are in milliseconds.
pub(super) fn date(time: Timestamp) -> bson::DateTime {
    bson::DateTime::from_millis(time.as_millisecond().saturating_add(1))
}

/// An event as it is stored in its document.
pub(super) fn waiting(number: u64, envelope: &Envelope) -> Result<Bson, StoreError> {
    Ok(Bson::Document(bson::doc! { "n": long(number)?, "event": document(envelope)? }))
}

pub(super) fn corrupt(error: impl ToString) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

fn missing(field: &str) -> StoreError {
    StoreError::Corrupt(format!("a document without {field}"))
}

/// Reads every document of a query.
pub(super) async fn all<T>(
    find: mongodb::action::Find<'_, Document>,
    read: impl Fn(&Document) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    use futures_util::TryStreamExt;
    let mut cursor = find.await.map_err(|error| Failed::read(&error))?;
    let mut found = vec![];
    while let Some(row) = cursor.try_next().await.map_err(|error| Failed::read(&error))? {
        found.push(read(&row)?);
    }
    Ok(found)
}

/// Reads the first document that a filter matches.
pub(super) async fn first<T>(
    collection: &Collection<Document>,
    filter: Document,
    read: impl Fn(&Document) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let found = collection.find_one(filter).await.map_err(|error| Failed::read(&error))?;
    found.as_ref().map(read).transpose()
}

/// Updates the document of an id, and inserts it if it does not exist.
pub(super) async fn upsert(
    collection: &Collection<Document>,
    id: impl Into<Bson>,
    update: Document,
) -> Result<(), StoreError> {
    match collection.update_one(bson::doc! { "_id": id.into() }, update).upsert(true).await {
        // Another node inserted it at the same moment.
        Err(error) if is_duplicate(&error) => Ok(()),
        written => written.map(|_| ()).map_err(|error| Failed::write(&error)),
    }
}

/// How many documents a filter matches.
pub(super) async fn counted(collection: &Collection<Document>, filter: Document) -> Result<u64, StoreError> {
    collection.count_documents(filter).await.map_err(|error| Failed::read(&error))
}

/// A page of a list and the length of the whole list.
pub(super) async fn page<T>(
    collection: &Collection<Document>,
    filter: Document,
    sort: Document,
    skip: u64,
    limit: u32,
    read: impl Fn(&Document) -> Result<T, StoreError>,
) -> Result<crate::store::Page<T>, StoreError> {
    let total = counted(collection, filter.clone()).await?;
    // No query is needed past the end, where servers behave differently.
    let rows = if skip >= total {
        vec![]
    } else {
        all(collection.find(filter).sort(sort).skip(skip).limit(limit.into()), read).await?
    };
    Ok(crate::store::Page { rows, total })
}
