//! The writer thread.
//!
//! It takes all waiting jobs, runs them in one transaction with a savepoint each, commits once and then answers all.
//! A job that is refused or panics is rolled back alone; if the commit fails, all jobs get the error that nothing was
//! written.
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
pub(super) struct WriteTx<'c> {
    connection: &'c Connection,
    published: Cell<bool>,
}

impl Deref for WriteTx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl WriteTx<'_> {
    /// Adds events to the outbox in the job's transaction.
    pub(super) fn publish(&self, events: &[Vec<u8>]) -> Result<(), StoreError> {
        for event in events {
            execute(self.connection, "INSERT INTO outbox (doc) VALUES (?1)", [event])?;
            self.published.set(true);
        }
        Ok(())
    }
}

/// A waiting write, independent of its types.
pub(super) trait Job: Send {
    /// Whether the caller has stopped waiting.
    fn is_abandoned(&self) -> bool;
    /// Does the work; returns whether to keep its changes.
    fn run(&mut self, writing: &WriteTx<'_>) -> bool;
    /// Sends the answer; `verdict` is the outcome of the whole transaction.
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
    F: FnOnce(&WriteTx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, writing: &WriteTx<'_>) -> bool {
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
        // The caller may have gone away.
        let _gone = self.reply.send(outcome);
    }
}

/// A command to the thread.
pub(super) enum Command {
    /// Run this job.
    Write(Box<dyn Job>),
    /// Finish the waiting jobs, then end.
    Close,
}

/// The thread's own state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) commands: Receiver<Command>,
    pub(super) group: usize,
    pub(super) written: Arc<Notify>,
    /// Cleared when writes fail, so that the next health check writes at once.
    pub(super) checked: Arc<Mutex<Option<Instant>>>,
    pub(super) stall: Option<Stall>,
}

impl Writer {
    /// Works until the command to close arrives or all senders are dropped.
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

    /// Takes the other waiting jobs, up to a group; returns whether the command to close arrived.
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
            // The last transaction failed and could not be rolled back then.
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
/// Only when the transaction itself is lost (for example on a full disk): none of its jobs is written then.
fn run_job(connection: &Connection, job: &mut dyn Job) -> Result<bool, StoreError> {
    execute(connection, "SAVEPOINT job", [])?;
    let writing = WriteTx { connection, published: Cell::new(false) };
    // Unfinished work of a panic is in the savepoint, and nothing else is shared.
    let keep = catch_unwind(AssertUnwindSafe(|| job.run(&writing))).unwrap_or_else(|_| {
        tracing::error!("a write panicked and was rolled back");
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
