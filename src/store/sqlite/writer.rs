//! The one thread that writes.
//!
//! It takes a waiting job, and with it whatever else waits, runs them in one transaction
//! with a savepoint each, commits once and then answers all. A job that is refused or
//! panics is undone by itself; if the commit fails, all are told that nothing was written.
//!
//! **Invariant:** no answer to a write leaves this thread before its commit is on disk.

use std::{
    cell::Cell,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::Receiver;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};

use super::{StoreError, codec::execute, options::Stall};

/// A connection inside a job's savepoint.
pub(super) struct Writing<'c> {
    connection: &'c Connection,
    published: Cell<bool>,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Writing<'_> {
    /// Puts events into the outbox, in the same transaction as everything else of the job.
    pub(super) fn publish(&self, events: &[Vec<u8>]) -> Result<(), StoreError> {
        for event in events {
            execute(self.connection, "INSERT INTO outbox (doc) VALUES (?1)", [event])?;
            self.published.set(true);
        }
        Ok(())
    }
}

/// A write that waits for the thread, whatever its types.
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// Does the work; returns whether it is to be kept.
    fn run(&mut self, writing: &Writing<'_>) -> bool;
    /// Sends the answer; `verdict` is the fate of the whole transaction.
    fn answer(self: Box<Self>, verdict: &Result<(), StoreError>);
}

/// A write with its types.
pub(super) struct Work<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work<F, T, E> {
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), outcome: None, reply }, answer)
    }
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&Writing<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, writing: &Writing<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = work(writing);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, verdict: &Result<(), StoreError>) {
        let outcome = match (verdict, self.outcome) {
            (Err(error), _) => Err(E::from(error.clone())),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(E::from(StoreError::Unavailable("a write ended unexpectedly".into()))),
        };
        // A caller that has gone away does not want to know.
        let _gone = self.reply.send(outcome);
    }
}

/// What the thread is told.
pub(super) enum Command {
    /// Do this.
    Write(Box<dyn Job>),
    /// Finish what waits, then end.
    Close,
}

/// The thread's own state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) commands: Receiver<Command>,
    pub(super) group: usize,
    pub(super) written: Arc<Notify>,
    /// Emptied when writes fail, so that the next look at the store tries one at once.
    pub(super) checked: Arc<Mutex<Option<Instant>>>,
    pub(super) stall: Option<Stall>,
}

impl Writer {
    /// Works until it is told to close or nobody can tell it anything any more.
    pub(super) fn run(self) {
        let mut jobs: Vec<Box<dyn Job>> = Vec::with_capacity(self.group);
        let mut closing = false;
        while !closing {
            match self.commands.recv() {
                Ok(Command::Write(job)) => jobs.push(job),
                Ok(Command::Close) | Err(_) => closing = true,
            }
            loop {
                if let Some(stall) = &self.stall {
                    stall();
                }
                closing |= self.gather(&mut jobs);
                self.write(&mut jobs);
                if !closing || self.commands.is_empty() {
                    break;
                }
            }
        }
    }

    /// Takes what else waits, up to a group; returns whether it was told to close.
    fn gather(&self, jobs: &mut Vec<Box<dyn Job>>) -> bool {
        let mut closing = false;
        while jobs.len() < self.group {
            match self.commands.try_recv() {
                Ok(Command::Write(job)) => jobs.push(job),
                Ok(Command::Close) => closing = true,
                Err(_) => break,
            }
        }
        closing
    }

    fn write(&self, jobs: &mut Vec<Box<dyn Job>>) {
        jobs.retain(|job| !job.is_abandoned());
        if jobs.is_empty() {
            return;
        }
        let verdict = self.transact(jobs);
        match &verdict {
            Ok(true) => self.written.notify_one(),
            Ok(false) => {}
            Err(error) => {
                *self.checked.lock() = None;
                tracing::error!(%error, writes = jobs.len(), "a group of writes failed");
            }
        }
        let verdict = verdict.map(|_published| ());
        for job in jobs.drain(..) {
            job.answer(&verdict);
        }
    }

    /// Runs the jobs and commits; returns whether events were written.
    fn transact(&self, jobs: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
        let connection = &self.connection;
        if !connection.is_autocommit() {
            // The last one failed so badly that it could not be undone then.
            execute(connection, "ROLLBACK", [])?;
        }
        execute(connection, "BEGIN IMMEDIATE", [])?;
        let outcome = jobs
            .iter_mut()
            .try_fold(false, |published, job| Ok(published | run_job(connection, job.as_mut())?))
            .and_then(|published| execute(connection, "COMMIT", []).map(|_| published));
        if outcome.is_err() && !connection.is_autocommit() {
            execute(connection, "ROLLBACK", [])?;
        }
        outcome
    }
}

/// Runs one job in a savepoint; returns whether it wrote events.
///
/// # Errors
/// Only when the transaction itself is lost (a full disk, say): no job of it is written then.
fn run_job(connection: &Connection, job: &mut dyn Job) -> Result<bool, StoreError> {
    execute(connection, "SAVEPOINT job", [])?;
    let writing = Writing { connection, published: Cell::new(false) };
    // What a panic leaves half done is in the savepoint, and nothing else is shared.
    let keep = catch_unwind(AssertUnwindSafe(|| job.run(&writing))).unwrap_or_else(|_| {
        tracing::error!("a write panicked and was undone");
        false
    });
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable("the transaction was rolled back".into()));
    }
    if !keep {
        execute(connection, "ROLLBACK TO job", [])?;
    }
    execute(connection, "RELEASE job", [])?;
    Ok(keep && writing.published.get())
}
