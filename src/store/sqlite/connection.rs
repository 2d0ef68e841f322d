//! Opens connections and checks the data file.

use std::{fs::OpenOptions, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, create, documents, schema};
use crate::store::document::Spec;

/// The data file's name within the data directory.
pub(super) const FILE: &str = "microbazaar.db";

/// A file of up to this many bytes is checked while it is opened; a larger one in the background.
const CHECKED_AT_ONCE: u64 = 16 * 1024 * 1024;

/// How long a statement waits for another process that writes, as `admin create` does.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// The size of the statement cache: more than this adapter's number of different statements.
const STATEMENTS: usize = 512;

/// The writer's cache in KiB.
const WRITER_CACHE: u32 = 8 * 1024;
/// A reader's cache in KiB.
const READER_CACHE: u32 = 2 * 1024;

/// Opens the file for writing, creates it if it is missing, checks it and updates its schema.
pub(super) fn open_writer(file: &Path, specs: &[&'static Spec]) -> Result<Connection, StoreError> {
    create::ensure(file)?;
    let had_log = create::has_log(file);
    let connection = open_new(file).map_err(|error| named(file, error))?;
    create::expect_whole(file, had_log, &connection)?;
    check_and_migrate(file, connection, specs).map_err(|error| named(file, error))
}

fn check_and_migrate(
    file: &Path,
    mut connection: Connection,
    specs: &[&'static Spec],
) -> Result<Connection, StoreError> {
    if std::fs::metadata(file).is_ok_and(|metadata| metadata.len() < CHECKED_AT_ONCE) {
        check(&connection)?;
    }
    schema::migrate(&mut connection)?;
    documents::ensure(&mut connection, specs)?;
    // WAL with FULL: a commit is one append and one fsync of the log, and survives a power
    // cut. The first such commit takes the migration with it.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Opens an existing file with a write-ahead log, for the work before the first answer.
pub(super) fn open_new(file: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection, WRITER_CACHE)?;
    // Until the store is open no write is answered, so nothing has to be on disk yet.
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(
            "the data directory's file system does not support a write-ahead log".into(),
        ));
    }
    Ok(connection)
}

/// Makes a new empty file that only its owner can read: it will hold password hashes.
pub(super) fn create_private(file: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(|_file| ())
}

/// Opens the file for reading.
pub(super) fn open_reader(file: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection, READER_CACHE)?;
    Ok(connection)
}

fn configure(connection: &Connection, cache_kib: u32) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA cache_size = -{cache_kib}; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
    ))?;
    Ok(())
}

/// Reads the whole file and checks its structure.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first thing that is wrong.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt(verdict)) }
}

/// Turns an error of the file into one sentence that says what to do.
pub(super) fn named(file: &Path, error: StoreError) -> StoreError {
    let StoreError::Corrupt(what) = error else { return error };
    let what = what.lines().last().unwrap_or_default().trim();
    StoreError::Corrupt(format!("the data file {} is damaged ({what}): restore it from a backup", file.display()))
}
