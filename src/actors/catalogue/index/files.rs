//! The files of the index: written to disk, and read into memory whole.
//!
//! The engine's own directory maps files into memory, and a mapped file that is truncated while
//! it is read ends the process (SIGBUS). Here a file that is open stays readable whatever becomes of
//! it on disk, and what became of it can be asked for.
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

/// A file that is written and removed again, and its size.
const ROOM_CHECK: &str = ".room-check";
const ROOM: usize = 64 << 10;

/// A directory on disk whose files are read into memory. Clones share it.
#[derive(Clone)]
pub(super) struct IndexFiles {
    root: Arc<Path>,
    // Writes, deletes and locks, and maps nothing as long as it is not asked to read.
    disk: MmapDirectory,
    known: Arc<Mutex<Known>>,
}

/// What is expected to be on disk.
#[derive(Default)]
struct Known {
    /// Files that somebody has open.
    open: HashMap<PathBuf, Weak<[u8]>>,
    /// Small files that are replaced as a whole.
    replaced: HashMap<PathBuf, Vec<u8>>,
}

impl IndexFiles {
    pub(super) fn open(root: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self { root: root.into(), disk: MmapDirectory::open(root)?, known: Arc::default() })
    }

    /// The first file that is gone, has another length, or is not what was written there.
    pub(super) fn damaged(&self) -> Option<PathBuf> {
        // Held meanwhile, so that no file is written or deleted on purpose.
        let known = self.known.lock();
        let cut = known.open.iter().find(|(path, bytes)| {
            let length = || fs::metadata(self.root.join(path)).ok().and_then(|found| usize::try_from(found.len()).ok());
            bytes.upgrade().is_some_and(|bytes| length() != Some(bytes.len()))
        });
        let other =
            || known.replaced.iter().find(|(path, data)| fs::read(self.root.join(path)).ok().as_ref() != Some(data));
        cut.map(|(path, _)| path.clone()).or_else(|| other().map(|(path, _)| path.clone()))
    }

    /// Whether the disk takes a file: where it does not, no index can be made.
    pub(super) fn expect_room(&self) -> io::Result<()> {
        let path = self.root.join(ROOM_CHECK);
        let written = fs::write(&path, [0; ROOM]);
        // There is none when it could not be made.
        let _missing = fs::remove_file(&path);
        written
    }

    fn load(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        let mut known = self.known.lock();
        if let Some(bytes) = known.open.get(path).and_then(Weak::upgrade) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = fs::read(self.root.join(path))?.into();
        known.open.retain(|_, bytes| bytes.strong_count() > 0);
        known.open.insert(path.to_owned(), Arc::downgrade(&bytes));
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
        let mut known = self.known.lock();
        known.open.remove(path);
        known.replaced.remove(path);
        self.disk.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.disk.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let mut known = self.known.lock();
        let data = self.disk.atomic_read(path)?;
        known.replaced.entry(path.to_owned()).or_insert_with(|| data.clone());
        Ok(data)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let mut known = self.known.lock();
        self.disk.atomic_write(path, data)?;
        known.replaced.insert(path.to_owned(), data.to_owned());
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
