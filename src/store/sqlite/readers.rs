//! The reading threads, each with its own connection.
//!
//! A read that panics gets [`super::StoreError::Unavailable`], and its thread continues.
//!
//! **Invariant:** a read that begins after a write was answered sees that write.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::Receiver;
use rusqlite::Connection;

/// A waiting read; it sends its own answer.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Works until all senders are dropped.
pub(super) fn run(connection: &Connection, reads: &Receiver<Read>) {
    while let Ok(read) = reads.recv() {
        // The answer's channel is dropped by the panic, which the caller notices.
        if catch_unwind(AssertUnwindSafe(|| read(connection))).is_err() {
            tracing::error!("a read panicked");
        }
        // A read that panicked inside a transaction must not leave its snapshot open.
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a reader is stuck in a transaction");
        }
    }
}
