//! The data directory and the lock that keeps a second process out of it.
//!
//! The lock is the operating system's, on the file `lock`: it ends with the process, however the process ends.
//!
//! **Invariant:** while a [`DataDir`] exists, no other process has one of the same folder.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("the data directory {0} is in use by another microbazaar process")]
    InUse(PathBuf),
    /// There is a file with that name.
    #[error("the data directory {0} is not a directory")]
    NotADirectory(PathBuf),
    /// It cannot be made, written or locked.
    #[error("the data directory {0} cannot be used: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

/// A data directory locked by this process; dropping it releases the lock.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Kept open for its lock, which ends when the file is closed.
    _lock: File,
}

impl DataDir {
    /// Creates the folder (accessible to its owner only) if needed, and locks it.
    ///
    /// # Errors
    /// [`LockError`] when another process holds it or it cannot be used.
    pub fn lock(path: impl Into<PathBuf>) -> Result<Self, LockError> {
        let path = path.into();
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => LockError::NotADirectory(path.clone()),
            _ => LockError::Io(path.clone(), error),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(path.join("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(path)),
            Err(TryLockError::Error(error)) => Err(LockError::Io(path, error)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
