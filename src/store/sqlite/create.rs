//! Creates a new data file, and refuses to if there was one before.
//!
//! A new file is created under a temporary name and renamed once its schema is on disk. So a killed start leaves
//! nothing under the final name, and an empty file must have been truncated.
//!
//! **Invariant:** a shop whose data file is lost never starts as an empty shop.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{StoreError, connection, documents, schema};
use crate::store::DOCUMENTS;

/// The files that `SQLite` keeps beside its file while it is open.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// The other files in a shop's folder.
const BESIDE: [&str; 5] = ["pictures", "search", "jwt_secret", "sandbox_key_secret", "sandbox_webhook_secret"];
/// The first bytes of a data file, which identify its format.
const HEADER: u64 = 100;

/// Creates the data file if there has never been one.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is empty, or missing where a shop was.
pub(super) fn ensure(file: &Path) -> Result<(), StoreError> {
    match fs::metadata(file) {
        Ok(_) => expect_content(file),
        Err(error) if error.kind() == ErrorKind::NotFound => match log_of(file).or_else(|| trace_of_a_shop(file)) {
            Some(found) => Err(lost(file, &format!("is missing, although {} is there", found.display()))),
            None => create(file),
        },
        Err(error) => Err(failed(file, &error)),
    }
}

/// Refuses a data file that was truncated to nothing or nearly so, which `SQLite` would treat as a new one. The file
/// is not opened, because closing it would drop this process's locks on it.
///
/// # Errors
/// [`StoreError::Corrupt`] with one sentence that says what to do.
pub(super) fn expect_content(file: &Path) -> Result<(), StoreError> {
    match fs::metadata(file).map_err(|error| failed(file, &error))?.len() {
        0 => Err(lost(file, "is empty")),
        1..HEADER => Err(lost(file, "is cut off")),
        _ => Ok(()),
    }
}

/// Whether there is a log from which a data file may have to be completed.
pub(super) fn has_log(file: &Path) -> bool {
    is_trace(&with_suffix(file, LOGS[0]))
}

/// Refuses a data file that was truncated within a page, and one without a schema where a shop was: its documents
/// were in a log that is missing.
///
/// # Errors
/// [`StoreError::Corrupt`] with one sentence that says what to do.
pub(super) fn expect_whole(file: &Path, had_log: bool, connection: &Connection) -> Result<(), StoreError> {
    let pragma = |name: &str| {
        let value = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
        value.map_err(|error| connection::named(file, error.into()))
    };
    let (version, page) = (pragma("user_version")?, pragma("page_size")?);
    let length = fs::metadata(file).map_err(|error| failed(file, &error))?.len();
    if !had_log && length % page.max(1) != 0 {
        return Err(lost(file, "is cut off"));
    }
    match trace_of_a_shop(file).filter(|_| version == 0) {
        Some(found) => Err(lost(file, &format!("holds no shop, although {} is there", found.display()))),
        None => Ok(()),
    }
}

/// A log of a data file.
fn log_of(file: &Path) -> Option<PathBuf> {
    LOGS.iter().map(|suffix| with_suffix(file, suffix)).find(is_trace)
}

/// A file that a shop left in the data file's folder.
fn trace_of_a_shop(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    BESIDE.iter().map(|name| folder.join(name)).find(is_trace)
}

fn is_trace(path: &PathBuf) -> bool {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(found) => found.len() > 0,
        Err(_) => false,
    }
}

fn create(file: &Path) -> Result<(), StoreError> {
    let new = with_suffix(file, ".new");
    // Left by a start that was killed; creating a data file requires the lock of its folder.
    remove(&new);
    connection::create_private(&new).map_err(|error| failed(&new, &error))?;
    let mut connection = connection::open_new(&new)?;
    schema::migrate(&mut connection)?;
    documents::ensure(&mut connection, DOCUMENTS)?;
    // Moves everything from the log into the file.
    connection.close().map_err(|(_, error)| error)?;
    let made = fs::File::open(&new).and_then(|made| made.sync_all()).and_then(|()| match fs::hard_link(&new, file) {
        // Another process was first: its file counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    remove(&new);
    made.map_err(|error| failed(file, &error))?;
    if let Some(folder) = file.parent() {
        // Not every file system supports this; the file itself is on disk.
        let _unsupported = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

fn remove(new: &Path) {
    for suffix in std::iter::once("").chain(LOGS) {
        // Usually there is none.
        let _missing = fs::remove_file(with_suffix(new, suffix));
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

fn lost(file: &Path, what: &str) -> StoreError {
    let folder = file.parent().unwrap_or(file);
    StoreError::Corrupt(format!(
        "the data file {} {what}: restore it from a backup, or remove the folder {} to begin a new shop",
        file.display(),
        folder.display()
    ))
}

fn failed(file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot use {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("microbazaar-create-{}", crate::domain::ids::UserId::generate());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn open(&self) -> Result<SqliteStore, StoreError> {
            SqliteStore::open(&self.0, SqliteOptions::default())
        }

        fn file(&self) -> PathBuf {
            self.0.join(connection::FILE)
        }

        /// The message of the refusal.
        fn refusal(&self, what: &str) -> String {
            let Err(StoreError::Corrupt(told)) = self.open() else { panic!("not refused: {what}") };
            assert!(
                told.contains("microbazaar.db") && told.contains("backup") && !told.contains('\n'),
                "{what}: {told}"
            );
            assert_eq!(told.matches("restore it from a backup").count(), 1, "{what}: {told}");
            told
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_that_was_cut_is_refused_wherever_it_was_cut() {
        let folder = Folder::new();
        folder.open().unwrap().close().unwrap();
        let whole = fs::read(folder.file()).unwrap();
        let length = whole.len();
        for cut in
            [1, 15, 16, 17, 40, 99, 100, 101, 511, 512, 4_095, 4_096, 8_192, length / 2, length - 4_096, length - 1]
        {
            fs::write(folder.file(), &whole[..cut]).unwrap();
            folder.refusal(&format!("cut to {cut} of {length}"));
            for suffix in ["-wal", "-shm"] {
                let _ = fs::remove_file(with_suffix(&folder.file(), suffix));
            }
        }
        fs::write(folder.file(), []).unwrap();
        let told = folder.refusal("cut to nothing");
        assert!(told.contains("is empty") && told.contains("remove the folder"), "{told}");
        assert_eq!(fs::metadata(folder.file()).unwrap().len(), 0, "it is left as it is");
        let beside = SqliteStore::open_beside(&folder.0).map(|_| ()).unwrap_err();
        assert!(beside.to_string().contains("is empty"), "{beside}");
        let copy = SqliteStore::backup(&folder.0, &folder.0.join("copy.db")).unwrap_err();
        assert!(copy.to_string().contains("is empty"), "{copy}");
        assert!(!folder.0.join("copy.db").exists());
        fs::write(folder.file(), whole).unwrap();
        folder.open().unwrap().close().unwrap();
    }

    #[test]
    fn a_file_that_is_missing_where_a_shop_was_is_refused() {
        for (name, is_dir) in [
            ("jwt_secret", false),
            ("sandbox_key_secret", false),
            ("microbazaar.db-wal", false),
            ("pictures", true),
            ("search", true),
        ] {
            let folder = Folder::new();
            let left = if is_dir { folder.0.join(name).join("file") } else { folder.0.join(name) };
            fs::create_dir_all(left.parent().unwrap()).unwrap();
            fs::write(&left, "left").unwrap();
            let told = folder.refusal(name);
            assert!(told.contains("is missing") && told.contains(name) && told.contains("remove the folder"), "{told}");
            assert!(!folder.file().exists());
            if !name.contains('-') {
                fs::File::create(folder.file()).unwrap();
                let made = connection::open_new(&folder.file()).unwrap();
                made.execute_batch("PRAGMA user_version = 0; VACUUM;").unwrap();
                drop(made);
                assert!(folder.refusal(name).contains("holds no shop"));
            }
        }
    }

    #[test]
    fn a_folder_that_a_killed_start_left_is_a_new_one() {
        let folder = Folder::new();
        fs::write(folder.0.join("lock"), []).unwrap();
        fs::create_dir(folder.0.join("pictures")).unwrap();
        for left in ["microbazaar.db.new", "microbazaar.db.new-wal"] {
            fs::write(folder.0.join(left), "half a file").unwrap();
        }
        folder.open().unwrap().close().unwrap();
        assert!(folder.file().is_file());
        let left = fs::read_dir(&folder.0)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".new"));
        assert_eq!(left.count(), 0);
        folder.open().unwrap().close().unwrap();
    }
}
