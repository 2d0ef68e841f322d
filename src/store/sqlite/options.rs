//! Options of the embedded store.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    domain::queues,
    store::{DOCUMENTS, KeepEvent, document::Spec},
};

/// Called by the writer thread before each group of writes.
pub type Stall = Arc<dyn Fn() + Send + Sync>;

/// Options of the embedded store; the defaults suit a whole marketplace in one process.
#[derive(Clone)]
pub struct SqliteOptions {
    /// How long a caller waits for an answer, and how long closing waits for the threads.
    pub deadline: Duration,
    /// The most waiting writes, and the most waiting reads.
    pub queue: usize,
    /// The most writes in one commit.
    pub group: usize,
    /// How many threads read.
    pub readers: usize,
    /// Which events are stored in the outbox. By default those that a queue carries: others have no consumer within one
    /// process.
    pub keep_event: KeepEvent,
    /// The types of documents that are stored: those of the shop, and those of tests.
    pub documents: Vec<&'static Spec>,
    /// A fault-injection point: by blocking here a test makes the store slow.
    pub stall: Option<Stall>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            queue: 8_192,
            group: 512,
            readers: 2,
            keep_event: Arc::new(queues::is_queued),
            documents: DOCUMENTS.to_vec(),
            stall: None,
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("deadline", &self.deadline)
            .field("queue", &self.queue)
            .field("group", &self.group)
            .field("readers", &self.readers)
            .field("stalls", &self.stall.is_some())
            .finish_non_exhaustive()
    }
}
