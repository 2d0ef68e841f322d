//! The files of the index: written to disk, and read into memory whole.
//!
//! The engine's own directory maps files into memory, and a mapped file that is truncated while it is read ends the
//! process (SIGBUS). Here an open file stays readable whatever happens to it on disk, and damage can be detected.
//!
//! **Invariant:** bytes that a search reads never change.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
    error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
};

/// A test file that is written and removed again, and its size.
const ROOM_CHECK: &str = ".room-check";
const ROOM: usize = 64 << 10;

/// A directory on disk whose files are read into memory. Clones share it.
#[derive(Clone)]
pub(super) struct IndexFiles {
    root: Arc<Path>,
    // Used for writes, deletes and locks only; it maps files only for reading.
    disk: MmapDirectory,
    expected: Arc<Mutex<ExpectedFiles>>,
}

/// The expected state of the files on disk.
#[derive(Default)]
struct ExpectedFiles {
    /// Open files.
    open: HashMap<PathBuf, Weak<[u8]>>,
    /// Small files that are replaced as a whole.
    replaced: HashMap<PathBuf, Vec<u8>>,
}

impl IndexFiles {
    pub(super) fn open(root: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self { root: root.into(), disk: MmapDirectory::open(root)?, expected: Arc::default() })
    }

    /// The first file that is missing, has another length, or differs from what was written.
    pub(super) fn damaged(&self) -> Option<PathBuf> {
        // Locked meanwhile, so that no file is written or deleted by the index itself.
        let expected = self.expected.lock();
        let cut = expected.open.iter().find(|(path, bytes)| {
            let length = || fs::metadata(self.root.join(path)).ok().and_then(|found| usize::try_from(found.len()).ok());
            bytes.upgrade().is_some_and(|bytes| length() != Some(bytes.len()))
        });
        let other =
            || expected.replaced.iter().find(|(path, data)| fs::read(self.root.join(path)).ok().as_ref() != Some(data));
        cut.map(|(path, _)| path.clone()).or_else(|| other().map(|(path, _)| path.clone()))
    }

    /// Whether the disk accepts a file; otherwise no index can be created.
    pub(super) fn expect_room(&self) -> io::Result<()> {
        let path = self.root.join(ROOM_CHECK);
        let written = fs::write(&path, [0; ROOM]);
        // The file is missing if it could not be created.
        let _missing = fs::remove_file(&path);
        written
    }

    fn load(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        let mut expected = self.expected.lock();
        if let Some(bytes) = expected.open.get(path).and_then(Weak::upgrade) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = fs::read(self.root.join(path))?.into();
        expected.open.retain(|_, bytes| bytes.strong_count() > 0);
        expected.open.insert(path.to_owned(), Arc::downgrade(&bytes));
        Ok(bytes)
    }
}

impl fmt::Debug for IndexFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IndexFiles").field(&self.root).finish()
    }
}

impl Directory for IndexFiles {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        match self.load(path) {
            Ok(bytes) => Ok(Arc::new(OwnedBytes::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OpenReadError::FileDoesNotExist(path.to_owned()))
            }
            Err(error) => Err(OpenReadError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let mut expected = self.expected.lock();
        expected.open.remove(path);
        expected.replaced.remove(path);
        self.disk.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.disk.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let mut expected = self.expected.lock();
        let data = self.disk.atomic_read(path)?;
        expected.replaced.entry(path.to_owned()).or_insert_with(|| data.clone());
        Ok(data)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let mut expected = self.expected.lock();
        self.disk.atomic_write(path, data)?;
        expected.replaced.insert(path.to_owned(), data.to_owned());
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.disk.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.disk.watch(watch_callback)
    }
}
