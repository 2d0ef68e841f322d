//! The threads that read, each with a connection of its own beside the writer.
//!
//! A read that panics is answered as unavailable, and its thread lives on.
//!
//! **Invariant:** a read that begins after a write was answered sees that write.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::Receiver;
use rusqlite::Connection;

/// A read that waits for a thread; it answers by itself.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Works until nobody can ask any more.
pub(super) fn run(connection: &Connection, reads: &Receiver<Read>) {
    while let Ok(read) = reads.recv() {
        // The answer's channel is dropped with the panic, which the caller sees.
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
