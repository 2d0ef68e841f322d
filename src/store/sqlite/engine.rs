//! Passes work to the writer and the readers and waits for the answers.
//!
//! Each aggregate's trait is implemented for [`Engine`] in a file of its own.
//!
//! **Invariant:** every wait here has a deadline and both queues are bounded.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};

use super::{
    SqliteOptions, StoreError, codec, connection,
    readers::{self, Read},
    table::Table,
    writer::{Command, Work, WriteTx, Writer},
};
use crate::{
    domain::event::Envelope,
    store::{KeepEvent, document::Spec},
};

/// How long the health check relies on the last successful write.
const CHECKED_FOR: Duration = Duration::from_millis(1_500);

/// How long a check of the whole file may take.
const CHECK_DEADLINE: Duration = Duration::from_mins(10);

/// The open store.
pub(super) struct Engine {
    file: PathBuf,
    commands: Sender<Command>,
    /// `None` once closed, so that the readers end.
    reads: Mutex<Option<Sender<Read>>>,
    /// Disconnected once all readers have ended.
    readers_ended: Receiver<()>,
    /// Disconnected once the writer has ended.
    writer_ended: Receiver<()>,
    deadline: Duration,
    pub(super) written: Arc<Notify>,
    keep_event: KeepEvent,
    /// By the name of the collection.
    tables: HashMap<&'static str, Arc<Table>>,
    /// When a check's write last reached the disk; `None` after a failed one.
    checked: Arc<Mutex<Option<Instant>>>,
}

impl Engine {
    /// Opens the file and starts the threads.
    pub(super) fn start(file: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let writing = connection::open_writer(file, &options.documents)?;
        let (commands, waiting) = bounded(options.queue.max(1));
        let (reads, waiting_reads) = bounded(options.queue.max(1));
        let (reader_lives, readers_ended) = bounded(0);
        let (writer_lives, writer_ended) = bounded(0);
        for number in 0..options.readers.max(1) {
            let connection = connection::open_reader(file)?;
            let (reads, lives): (_, Sender<()>) = (waiting_reads.clone(), reader_lives.clone());
            spawn(&format!("store-reader-{number}"), move || {
                readers::run(&connection, &reads);
                drop((connection, lives));
            })?;
        }
        let (written, checked) = (Arc::new(Notify::new()), Arc::new(Mutex::new(None)));
        let writer = Writer {
            connection: writing,
            commands: waiting,
            group: options.group.max(1),
            written: Arc::clone(&written),
            checked: Arc::clone(&checked),
            stall: options.stall.clone(),
        };
        spawn("store-writer", move || {
            let lives: Sender<()> = writer_lives;
            writer.run();
            drop(lives);
        })?;
        Ok(Self {
            file: file.to_owned(),
            commands,
            reads: Mutex::new(Some(reads)),
            readers_ended,
            writer_ended,
            deadline: options.deadline,
            written,
            keep_event: Arc::clone(&options.keep_event),
            tables: options.documents.iter().map(|spec| (spec.collection, Arc::new(Table::new(spec)))).collect(),
            checked,
        })
    }

    /// Whether writes reach the disk. Beginning a transaction would not detect a full disk.
    pub(super) async fn check_writes(&self) -> Result<(), StoreError> {
        if self.checked.lock().is_some_and(|at| at.elapsed() < CHECKED_FOR) {
            return Ok(());
        }
        let sql = "INSERT INTO counters (name, value) VALUES ('write_check', 1) \
                   ON CONFLICT (name) DO UPDATE SET value = value + 1";
        self.write(|writing| codec::execute(writing, sql, [])).await?;
        *self.checked.lock() = Some(Instant::now());
        Ok(())
    }

    /// Runs `work` in the writer's transaction and waits until it is on disk.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = Work::new(work);
        self.commands.try_send(Command::Write(Box::new(job))).map_err(refused)?;
        self.answer(answer).await?
    }

    /// Runs `work` on a reader.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if !reply.is_closed() {
                let _gone = reply.send(work(connection));
            }
        });
        let sent = self.reads.lock().as_ref().map(|reads| reads.try_send(read));
        sent.ok_or_else(closed)?.map_err(refused)?;
        self.answer(answer).await?
    }

    /// As [`Engine::read`], with one snapshot for all its statements.
    pub(super) async fn read_snapshot<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.read(|connection| {
            // If the work fails, the thread ends the transaction.
            codec::execute(connection, "BEGIN", [])?;
            let found = work(connection)?;
            codec::execute(connection, "COMMIT", [])?;
            Ok(found)
        })
        .await
    }

    async fn answer<A>(&self, answer: oneshot::Receiver<A>) -> Result<A, StoreError> {
        within(self.deadline, answer).await
    }

    /// Checks the whole file on a separate thread and connection, so that all readers stay available.
    pub(super) async fn integrity_check(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let file = self.file.clone();
        spawn("store-check", move || {
            let checked = connection::open_reader(&file).and_then(|connection| connection::check(&connection));
            let _gone = reply.send(checked.map_err(|error| connection::named(&file, error)));
        })?;
        within(CHECK_DEADLINE, answer).await?
    }

    /// The table of a type.
    pub(super) fn table(&self, of: &Spec) -> Result<Arc<Table>, StoreError> {
        let table = self.tables.get(of.collection).cloned();
        table.ok_or_else(|| StoreError::Corrupt(format!("there is no collection {}", of.collection)))
    }

    /// Whether events of this name are wanted.
    pub(super) fn keeps(&self, name: &'static str) -> bool {
        (self.keep_event)(name)
    }

    /// The JSON of the events that are wanted.
    pub(super) fn prepare(&self, events: &[Envelope]) -> Result<Vec<Vec<u8>>, StoreError> {
        codec::events(events, |name| self.keeps(name))
    }

    /// Ends the readers, then the writer after its waiting jobs. Blocks up to the deadline for each. The writer
    /// closes the file last, so that its log is merged into it.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.reads.lock().take();
        let readers = self.readers_ended.recv_timeout(self.deadline);
        // The queue is full, or the thread has ended; the wait below shows which.
        let _told = self.commands.send_timeout(Command::Close, self.deadline);
        let writer = self.writer_ended.recv_timeout(self.deadline);
        let late = |ended| matches!(ended, Err(crossbeam_channel::RecvTimeoutError::Timeout));
        if late(readers) || late(writer) { Err(StoreError::Deadline) } else { Ok(()) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.close().is_err() {
            tracing::error!("the store's threads did not end in time");
        }
    }
}

async fn within<A>(deadline: Duration, answer: oneshot::Receiver<A>) -> Result<A, StoreError> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(StoreError::Unavailable("the work was dropped".into())),
        Err(_) => Err(StoreError::Deadline),
    }
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(|_detached| ()).map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

fn refused<T>(error: TrySendError<T>) -> StoreError {
    match error {
        TrySendError::Full(_) => StoreError::Busy,
        TrySendError::Disconnected(_) => closed(),
    }
}
