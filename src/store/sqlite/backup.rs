//! Makes a consistent copy of the data file while others write to it.
//!
//! **Invariant:** the copy never replaces an existing file, and gets its name only when it is complete, checked and
//! on disk.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, connection, create};

/// Copies the store in `dir` to `file`, as it is at one moment.
pub(super) fn backup(dir: &Path, file: &Path) -> Result<(), StoreError> {
    let source_file = dir.join(connection::FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !source_file.is_file() {
        return Err(StoreError::Unavailable(format!("there is no data file {}", source_file.display())));
    }
    create::expect_content(&source_file)?;
    let source = Connection::open_with_flags(&source_file, flags)?;
    reserve(file)?;
    let partial = partial_name(file);
    let made = copy(&source, &partial).and_then(|()| fs::rename(&partial, file).map_err(|error| failed(file, &error)));
    if made.is_err() {
        // The temporary name is unique to this copy; the rest of a failed copy is useless.
        let _partial = fs::remove_file(&partial);
        let _reserved = fs::remove_file(file);
    }
    made.map(|()| sync_directory(file))
}

/// Takes the file's name.
fn reserve(file: &Path) -> Result<(), StoreError> {
    connection::create_private(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            StoreError::Unavailable(format!("the file {} exists and is not overwritten", file.display()))
        }
        _ => failed(file, &error),
    })
}

fn copy(source: &Connection, partial: &Path) -> Result<(), StoreError> {
    // Left by a copy that was killed; the name above was free, so no other copy is in progress.
    let _stale = fs::remove_file(partial);
    connection::create_private(partial).map_err(|error| failed(partial, &error))?;
    let name = partial.to_str().ok_or_else(|| StoreError::Unavailable("a backup's path must be valid UTF-8".into()))?;
    source.execute("VACUUM INTO ?1", [name])?;
    let copied = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection::check(&copied)?;
    drop(copied);
    let written = OpenOptions::new().write(true).open(partial).and_then(|file| file.sync_all());
    written.map_err(|error| failed(partial, &error))
}

fn partial_name(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".part");
    PathBuf::from(name)
}

fn sync_directory(file: &Path) {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every file system supports this; the copy itself is on disk.
    let _unsupported = fs::File::open(directory).and_then(|directory| directory.sync_all());
}

fn failed(file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot write {}: {error}", file.display()))
}
