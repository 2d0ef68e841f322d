//! The search index of products: words, categories, prices and the order of lists.
//!
//! It follows the product store by sequence: its owner applies the changes after [`SearchIndex::last_sequence`] and
//! commits. It contains nothing that the store does not have, so a missing, damaged or incompatible index is deleted
//! and rebuilt, even while it is used: searches continue in memory until the new one is complete. All calls block;
//! searches may run concurrently with each other and with writes.
//!
//! **Invariant:** a search sees the whole of one commit, never part of one.

mod best;
mod categories;
mod files;
mod query;
mod scan;
mod schema;
#[cfg(test)]
mod tests;
mod words;
mod writer;

use std::{
    collections::HashSet,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy, TantivyError};

pub use self::query::{Hits, LIMIT_MAX, ListQuery, SKIP_MAX, Sort};
use self::{files::IndexFiles, query::Plan, schema::Fields, writer::Writer};
use crate::{domain::ids::UserId, store::products::ProductChange};

/// The size of the answer cache in bytes.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// The size of a cached answer besides its words and ids.
const CACHE_ENTRY_BYTES: usize = 400;
/// The most categories in the list.
const CATEGORIES_MAX: usize = 50;

/// Why a call to the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The engine failed.
    #[error("the search index failed: {0}")]
    Engine(#[from] TantivyError),
    /// Its files could not be read or written.
    #[error("the search index could not be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Categories with how many products each has, the largest first.
pub type Categories = Arc<[(String, u64)]>;

/// The index, shared by its readers and its one writer.
pub struct SearchIndex {
    fields: Fields,
    reader: RwLock<IndexReader>,
    writing: Mutex<IndexWriting>,
    /// Whether searches use an older index while a new one is built.
    rebuilding: AtomicBool,
    /// Counts commits and changes of the hidden sellers; cached answers of earlier generations are not used.
    generation: AtomicU64,
    answers: Cache<(u64, Plan), Hits>,
    categories: Mutex<Option<(u64, Categories)>>,
    /// Sellers whose products are hidden.
    left_out: RwLock<Arc<HashSet<UserId>>>,
}

/// The writing side.
struct IndexWriting {
    writer: Writer,
    /// Its location on disk, if it is on disk.
    disk: Option<Disk>,
    /// The reader of an index that is being rebuilt, until it is complete.
    next: Option<IndexReader>,
}

struct Disk {
    dir: PathBuf,
    files: IndexFiles,
}

impl SearchIndex {
    /// Opens the index in `dir`, or an empty one there; without `dir`, one in memory.
    /// Everything in `dir` belongs to the index and may be deleted.
    ///
    /// # Errors
    /// When no new index can be created there.
    pub fn open(dir: Option<&Path>) -> Result<Self, IndexError> {
        let fields = Fields::new();
        let Opened { index, reader, committed, files } = match dir {
            None => with_reader(Index::create_in_ram(fields.schema.clone()), None)?,
            // The engine panics on some damaged files.
            Some(dir) => match catch_unwind(AssertUnwindSafe(|| open_existing(dir, &fields))) {
                Ok(Ok(Some(opened))) => opened,
                Ok(Ok(None)) => create_new(dir, &fields)?,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the search index is unreadable and is rebuilt");
                    create_new(dir, &fields)?
                }
                Err(_) => {
                    tracing::warn!("the search index is damaged and is rebuilt");
                    create_new(dir, &fields)?
                }
            },
        };
        let weigh = |(_, plan): &(u64, Plan), hits: &Hits| {
            let text: usize = plan.words.iter().flatten().map(|word| word.len() + size_of::<String>()).sum();
            let bytes = CACHE_ENTRY_BYTES + text + plan.category.as_ref().map_or(0, String::len) + hits.ids.len() * 12;
            let bytes = bytes + hits.unknown.iter().map(String::len).sum::<usize>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Ok(Self {
            writing: Mutex::new(IndexWriting {
                writer: Writer::new(index, fields.clone(), committed),
                disk: dir.zip(files).map(|(dir, files)| Disk { dir: dir.to_owned(), files }),
                next: None,
            }),
            fields,
            reader: RwLock::new(reader),
            rebuilding: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            answers: Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh).build(),
            categories: Mutex::new(None),
            left_out: RwLock::default(),
        })
    }

    /// The sequence of the last change that is committed; zero when there is none.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.writing.lock().writer.committed()
    }

    /// Counts commits and changes of the hidden sellers: an answer from this index is valid while this number stays
    /// the same.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Applies changes, the oldest first; they are visible after [`SearchIndex::commit`]. Applying a change again is
    /// harmless.
    ///
    /// # Errors
    /// The uncommitted changes are then dropped: read the changes again from [`SearchIndex::last_sequence`].
    pub fn apply(&self, changes: &[ProductChange]) -> Result<(), IndexError> {
        self.writing.lock().writer.apply(changes)
    }

    /// Makes what was applied durable and visible.
    ///
    /// # Errors
    /// As [`SearchIndex::apply`].
    pub fn commit(&self) -> Result<(), IndexError> {
        let mut writing = self.writing.lock();
        if writing.writer.commit()? || writing.next.is_some() {
            self.show(&mut writing)?;
        }
        Ok(())
    }

    /// Empties the index, for a store that starts over or is behind the index.
    ///
    /// # Errors
    /// As [`SearchIndex::apply`].
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut writing = self.writing.lock();
        writing.writer.clear()?;
        self.show(&mut writing)
    }

    /// Frees the writer's memory and threads until the next change, once its merges are done. Uncommitted changes are
    /// dropped.
    ///
    /// # Errors
    /// When a merge failed; the index is as before.
    pub fn release_writer(&self) -> Result<(), IndexError> {
        let mut writing = self.writing.lock();
        if writing.writer.release()? && writing.next.is_none() {
            self.reader.read().reload()?;
        }
        Ok(())
    }

    /// Rebuilds the index if a file was deleted or damaged, or in any case with `anyway`: then all changes have to be
    /// applied again. Searches continue in memory until the next commit. Returns whether it was rebuilt.
    ///
    /// # Errors
    /// When a new one cannot be created; the next call tries again.
    pub fn rebuild_if_damaged(&self, anyway: bool) -> Result<bool, IndexError> {
        let mut writing = self.writing.lock();
        let Some(Disk { dir, files }) = &writing.disk else { return Ok(false) };
        let damaged = files.damaged();
        match (&damaged, anyway) {
            (None, false) => return Ok(false),
            // A failure on a full disk is not the index's fault.
            (None, true) => files.expect_room()?,
            (Some(_), _) => {}
        }
        let (dir, file) = (dir.clone(), damaged.map(|path| path.display().to_string()));
        tracing::warn!(file, "the search index is damaged and is rebuilt");
        self.rebuilding.store(true, Ordering::Release);
        // Its merges would write into the new one, so they are awaited; their failure does not matter.
        let _damaged = catch_unwind(AssertUnwindSafe(|| writing.writer.release()));
        let Opened { index, reader, committed, files } = create_new(&dir, &self.fields)?;
        writing.writer = Writer::new(index, self.fields.clone(), committed);
        writing.disk = files.map(|files| Disk { dir, files });
        writing.next = Some(reader);
        Ok(true)
    }

    /// Whether the index is being rebuilt, so that searches miss recent changes.
    #[must_use]
    pub fn is_rebuilding(&self) -> bool {
        self.rebuilding.load(Ordering::Acquire)
    }

    /// The page of products that `query` asks for.
    ///
    /// # Errors
    /// Only when the files of the index cannot be read; never because of the query.
    pub fn search(&self, query: &ListQuery) -> Result<Hits, IndexError> {
        // The generation is read before the searcher, so that a cached answer is never used after its commit.
        let key = (self.generation(), Plan::from(query));
        if let Some(hits) = self.answers.get(&key) {
            return Ok(hits);
        }
        let left_out = self.left_out.read().clone();
        let searcher = self.reader.read().searcher();
        let hits = scan::run(&searcher, &self.fields, &key.1, &left_out)?;
        self.answers.insert(key, hits.clone());
        Ok(hits)
    }

    /// The cached answer to `query`, if there is one.
    #[must_use]
    pub fn cached(&self, query: &ListQuery) -> Option<Hits> {
        self.answers.get(&(self.generation(), Plan::from(query)))
    }

    /// The largest categories with their number of products, the largest first.
    ///
    /// # Errors
    /// As [`SearchIndex::search`].
    pub fn categories(&self) -> Result<Categories, IndexError> {
        let generation = self.generation();
        let left_out = self.left_out.read().clone();
        if let Some((of, categories)) = &*self.categories.lock()
            && *of == generation
        {
            return Ok(Arc::clone(categories));
        }
        let searcher = self.reader.read().searcher();
        let categories: Categories = categories::count(&searcher, &self.fields, &left_out, CATEGORIES_MAX)?.into();
        *self.categories.lock() = Some((generation, Arc::clone(&categories)));
        Ok(categories)
    }

    /// How many products there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.reader.read().searcher().num_docs()
    }

    /// Hides the products of these sellers from now on, except from staff.
    pub fn leave_out(&self, sellers: Arc<HashSet<UserId>>) {
        *self.left_out.write() = sellers;
        self.outdate();
    }

    fn show(&self, writing: &mut IndexWriting) -> Result<(), IndexError> {
        match &writing.next {
            Some(next) => next.reload()?,
            None => self.reader.read().reload()?,
        }
        if let Some(next) = writing.next.take() {
            *self.reader.write() = next;
            self.rebuilding.store(false, Ordering::Release);
        }
        self.outdate();
        Ok(())
    }

    /// Invalidates all cached answers.
    fn outdate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.answers.invalidate_all();
    }
}

struct Opened {
    index: Index,
    reader: IndexReader,
    committed: u64,
    files: Option<IndexFiles>,
}

/// The index in `dir`, `None` if there is none with this program's schema.
fn open_existing(dir: &Path, fields: &Fields) -> Result<Option<Opened>, IndexError> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let files = IndexFiles::open(dir).map_err(TantivyError::from)?;
    if !Index::exists(&files).map_err(TantivyError::from)? {
        return Ok(None);
    }
    let index = Index::open(files.clone())?;
    if index.schema() != fields.schema || writer::committed_sequence(&index.load_metas()?).is_none() {
        return Ok(None);
    }
    if let Some(file) = index.validate_checksum()?.iter().next() {
        tracing::warn!(file = %file.display(), "the search index is damaged and is rebuilt");
        return Ok(None);
    }
    let opened = with_reader(index, Some(files))?;
    // An empty search opens every file that searches need.
    let plan = Plan::from(&ListQuery { text: Some("readable".into()), ..ListQuery::default() });
    scan::run(&opened.reader.searcher(), fields, &plan, &HashSet::new())?;
    Ok(Some(opened))
}

/// Deletes everything in `dir` and creates an empty index there.
fn create_new(dir: &Path, fields: &Fields) -> Result<Opened, IndexError> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(dir)?,
        Ok(_) => fs::remove_file(dir)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    fs::create_dir_all(dir)?;
    let files = IndexFiles::open(dir).map_err(TantivyError::from)?;
    let index = Index::create(files.clone(), fields.schema.clone(), IndexSettings::default())?;
    with_reader(index, Some(files))
}

fn with_reader(index: Index, files: Option<IndexFiles>) -> Result<Opened, IndexError> {
    schema::register_tokenizer(&index);
    let committed = writer::committed_sequence(&index.load_metas()?).unwrap_or_default();
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    Ok(Opened { index, reader, committed, files })
}
