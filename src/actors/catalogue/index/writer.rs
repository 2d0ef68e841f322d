//! The only writer of the index, created when needed and released when idle.
//!
//! After an error, uncommitted changes are dropped and the writer is created again by the next call; the caller reads
//! the changes again from `committed`.
//!
//! **Invariant:** the sequence in a commit's payload is that of the last change in it.

use serde::{Deserialize, Serialize};
use tantivy::{
    Index, IndexWriter,
    index::IndexMeta,
    indexer::{IndexWriterOptions, LogMergePolicy},
};

use super::{
    IndexError,
    schema::{Fields, SCHEMA_VERSION},
};
use crate::store::products::ProductChange;

/// Bytes of memory for uncommitted documents; tantivy's minimum.
const HEAP: usize = 15_000_000;
/// How many segments of about one size are merged into one.
const SEGMENTS_PER_SIZE: usize = 4;
/// A segment with a larger share of deleted documents is rewritten.
const DELETED_SHARE: f32 = 0.2;

/// The payload of a commit.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    schema: u32,
    sequence: u64,
}

/// The last sequence that an index on disk holds, `None` if it is not of this schema.
pub(super) fn committed_sequence(meta: &IndexMeta) -> Option<u64> {
    match &meta.payload {
        None => meta.segments.is_empty().then_some(0),
        Some(text) => serde_json::from_str::<Payload>(text)
            .ok()
            .filter(|payload| payload.schema == SCHEMA_VERSION)
            .map(|payload| payload.sequence),
    }
}

/// The writing side of the index.
pub(super) struct Writer {
    index: Index,
    fields: Fields,
    open: Option<IndexWriter>,
    applied: u64,
    committed: u64,
    dirty: bool,
}

impl Writer {
    pub fn new(index: Index, fields: Fields, committed: u64) -> Self {
        Self { index, fields, open: None, applied: committed, committed, dirty: false }
    }

    pub const fn committed(&self) -> u64 {
        self.committed
    }

    /// Applies changes; they are visible after the next commit.
    pub fn apply(&mut self, changes: &[ProductChange]) -> Result<(), IndexError> {
        let result = self.try_apply(changes);
        self.forget_on_error(result)
    }

    /// Commits the applied changes. Returns whether there were any.
    pub fn commit(&mut self) -> Result<bool, IndexError> {
        if !self.dirty {
            return Ok(false);
        }
        let result = self.try_commit();
        self.forget_on_error(result)?;
        Ok(true)
    }

    /// Deletes everything and starts from sequence zero.
    pub fn clear(&mut self) -> Result<(), IndexError> {
        self.applied = 0;
        let result = self.open().and_then(|writer| Ok(writer.delete_all_documents()?)).and_then(|_| self.try_commit());
        self.forget_on_error(result)
    }

    /// Finishes running merges and frees the writer's memory and threads. Returns whether there
    /// was a writer.
    pub fn release(&mut self) -> Result<bool, IndexError> {
        self.applied = self.committed;
        self.dirty = false;
        match self.open.take() {
            Some(writer) => writer.wait_merging_threads().map(|()| true).map_err(IndexError::from),
            None => Ok(false),
        }
    }

    fn try_apply(&mut self, changes: &[ProductChange]) -> Result<(), IndexError> {
        let Some(last) = changes.iter().map(|change| change.sequence).max() else { return Ok(()) };
        let fields = self.fields.clone();
        let writer = self.open()?;
        for change in changes {
            writer.delete_term(fields.id_term(change.id));
            if let Some(product) = &change.product {
                writer.add_document(fields.document(product))?;
            }
        }
        self.applied = self.applied.max(last);
        self.dirty = true;
        Ok(())
    }

    fn try_commit(&mut self) -> Result<(), IndexError> {
        let sequence = self.applied;
        let payload = Payload { schema: SCHEMA_VERSION, sequence };
        let payload = serde_json::to_string(&payload).map_err(std::io::Error::from)?;
        let mut prepared = self.open()?.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.committed = sequence;
        self.dirty = false;
        Ok(())
    }

    fn open(&mut self) -> Result<&mut IndexWriter, IndexError> {
        let writer = match self.open.take() {
            Some(writer) => writer,
            None => {
                let options = IndexWriterOptions::builder()
                    .num_worker_threads(1)
                    .memory_budget_per_thread(HEAP)
                    .num_merge_threads(1)
                    .build();
                let writer = self.index.writer_with_options(options)?;
                let mut policy = LogMergePolicy::default();
                policy.set_min_num_segments(SEGMENTS_PER_SIZE);
                policy.set_del_docs_ratio_before_merge(DELETED_SHARE);
                writer.set_merge_policy(Box::new(policy));
                writer
            }
        };
        Ok(self.open.insert(writer))
    }

    fn forget_on_error<T>(&mut self, result: Result<T, IndexError>) -> Result<T, IndexError> {
        if result.is_err() {
            self.open = None;
            self.applied = self.committed;
            self.dirty = false;
        }
        result
    }
}
