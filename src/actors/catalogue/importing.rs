//! Processes imports of products, row by row.
//!
//! An import is stored with its rows before it starts. Its worker keeps it claimed by postponing its due time; if the
//! process dies, another one or the next start continues. A row may then be processed twice, which has the same
//! effect as once: its product has a fixed id, and stock is set only if it has the recorded version.
//!
//! **Invariant:** an accepted import is completed. A row of a file changes a product at most once, however often the
//! file is sent.

use std::{sync::Arc, time::Duration};

use growing_backoff::Backoff;
use tokio::sync::Notify;

use super::{
    actor::{Failure, ProductService},
    calls::{ChangeProduct, CreateProduct, Editor, ImportFile, ProductRefusal, StockChange},
};
use crate::{
    actors::send_loop::SendLoop,
    crash,
    domain::{
        Timestamp,
        event::Event,
        ids::{ImportId, UserId},
        import::{ChangedRow, Import, ImportRow, LeftOut, NewRow, RowChange, StockNote, StockStep, Tally},
        inventory::StockError,
    },
    integrations::redis::{ChangeNotifier, topic},
    runtime::calls::CallError,
    runtime::envelope,
    store::{ImportStore, StoreError},
};

/// How many imports are processed at once.
const AT_ONCE: u32 = 4;
/// How long a worker's claim on an import lasts without progress.
const LEASE: Duration = Duration::from_secs(6);
/// Progress is written after this many rows, and after this time at the latest.
const WRITE_AFTER: u64 = 20;
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often a failed import is retried, and the pauses in between.
const ATTEMPTS_MAX: u32 = 25;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(60));
/// How often a stock is read again after concurrent changes.
const STOCK_TRIES: u32 = 8;
/// How long the sender of a file waits for the end of its import.
const WAIT: Duration = Duration::from_secs(20);
/// How often a waiting sender checks whether the import is finished.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often to retry when another node starts the same import at the same moment.
const TAKE_TRIES: u32 = 16;

/// The state that outlives the actor.
pub(super) struct Importing {
    service: Arc<ProductService>,
    store: ImportStore,
    working: SendLoop,
    /// Whether other nodes process imports too.
    clustered: bool,
    /// An import was finished.
    finished: Notify,
}

/// Why an import stops on this node.
enum Stop {
    /// Another node has it.
    Overtaken,
    /// A dependency is unavailable.
    Later(Failure),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Overtaken,
            error => Self::Later(error.into()),
        }
    }
}

/// The outcome of a row.
enum Done {
    Made,
    Changed,
    Same,
    LeftOut(String),
}

impl Importing {
    pub(super) fn new(
        service: Arc<ProductService>,
        store: ImportStore,
        notifier: &ChangeNotifier,
        clustered: bool,
    ) -> Self {
        let working = SendLoop::new("imports", AT_ONCE, notifier, topic::IMPORTS);
        Self { service, store, working, clustered, finished: Notify::new() }
    }

    /// Starts no more imports, and waits for those in progress; the rest is done after the next start.
    pub(super) async fn finish(&self, within: Duration) {
        self.working.finish(within).await;
    }

    /// Accepts a file: its import begins, or continues if it has begun already.
    pub(super) async fn take(&self, new: &ImportFile) -> Result<Import, StoreError> {
        let id = Import::id_of(new.seller, &new.digest);
        for _ in 0..TAKE_TRIES {
            let known = self.store.get(id).await?;
            if let Some(running) = known.as_ref().filter(|known| known.finished_at.is_none()) {
                return Ok(running.clone());
            }
            let now = Timestamp::now();
            let mut import = Import {
                id,
                seller: new.seller,
                digest: hex::encode(&new.digest),
                name: new.name.clone(),
                created_at: known.as_ref().map_or(now, |known| known.created_at),
                started_at: now,
                run: known.as_ref().map_or(1, |known| known.run.saturating_add(1)),
                rows: u64::try_from(new.rows.len()).unwrap_or(u64::MAX),
                done: 0,
                note: None,
                stock_set: known.as_ref().map(|known| known.stock_set.clone()).unwrap_or_default(),
                attempts: 0,
                tally: Tally {
                    applied: known.as_ref().map(|known| known.tally.applied.clone()).unwrap_or_default(),
                    ..new.tally.clone()
                },
                finished_at: None,
                due_at: now,
                version: known.map_or(0, |known| known.version),
            };
            match self.store.save(&import, Some(&new.rows), &[]).await {
                Ok(version) => {
                    import.version = version;
                    self.working.notify();
                    return Ok(import);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    /// The import once it is finished, or its progress after [`WAIT`].
    pub(super) async fn wait(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        let until = tokio::time::Instant::now() + WAIT;
        loop {
            let finished = self.finished.notified();
            let known = self.store.get(id).await?;
            let is_over = known.as_ref().is_none_or(|known| known.finished_at.is_some());
            if is_over || tokio::time::Instant::now() >= until {
                return Ok(known);
            }
            let _either = tokio::time::timeout(LOOK_EVERY, finished).await;
        }
    }

    /// A seller's imports, the newest first.
    pub(super) async fn of_seller(&self, seller: UserId, limit: u32) -> Result<Vec<Import>, StoreError> {
        self.store.of_seller(seller, limit).await
    }

    pub(super) async fn run(&self) {
        // If no other node processes imports, unfinished ones are this process's own: it, or this actor, died.
        if !self.clustered
            && let Err(error) = self.take_over().await
        {
            tracing::warn!(%error, "could not resume earlier imports now; they are resumed when they are due");
        }
        let nothing = async || {};
        let claim = async |free| self.claim(free).await;
        let begin = async |import| self.work(import).await;
        self.working.run(nothing, claim, begin).await;
    }

    /// Makes every unfinished import due now.
    async fn take_over(&self) -> Result<(), StoreError> {
        for import in self.store.due(Timestamp::MAX, u32::from(u16::MAX)).await? {
            let due = Import { due_at: Timestamp::now(), ..import };
            match self.store.save(&due, None, &[]).await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Import>, StoreError> {
        let mut claimed = vec![];
        for import in self.store.due(Timestamp::now(), limit).await? {
            let mut kept = Import { due_at: later(LEASE), ..import };
            match self.store.save(&kept, None, &[]).await {
                Ok(version) => {
                    kept.version = version;
                    claimed.push(kept);
                }
                // Another node was first.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    /// Processes an import, to its end or until a dependency is unavailable.
    async fn work(&self, import: Import) {
        let mut import = import;
        let Err(Stop::Later(error)) = self.rows(&mut import).await else { return };
        tracing::warn!(import.id = %import.id, %error, import.attempts, "an import is postponed");
        import.attempts = import.attempts.saturating_add(1);
        if import.attempts > 2 * ATTEMPTS_MAX {
            // The import itself cannot be read or finished, and is not retried forever.
            tracing::error!(import.id = %import.id, %error, "an import is given up");
            import.finished_at = Some(Timestamp::now());
        }
        import.due_at = later(PAUSES.after(import.attempts));
        if let Err(error) = self.store.save(&import, None, &[]).await {
            // It is due again when its claim expires.
            tracing::debug!(import.id = %import.id, %error, "could not record that an import is postponed");
        }
    }

    async fn rows(&self, import: &mut Import) -> Result<(), Stop> {
        let rows = self.store.rows(import.id).await?;
        let mut written = std::time::Instant::now();
        for (at, row) in (0_u64..).zip(&rows).skip(usize::try_from(import.done).unwrap_or(usize::MAX)) {
            if self.working.is_ending() {
                // The next start, or another node, continues.
                import.due_at = Timestamp::now();
                self.store.save(import, None, &[]).await?;
                return Ok(());
            }
            let done = match self.row(import, at, row).await {
                Ok(done) => done,
                Err(Stop::Later(error)) if import.attempts >= ATTEMPTS_MAX => {
                    tracing::error!(import.id = %import.id, %error, row.line, "a row of an import is given up");
                    Done::LeftOut("the shop could not do this; send the row again".to_owned())
                }
                Err(stop) => return Err(stop),
            };
            let is_carried_out = matches!(done, Done::Changed | Done::Same);
            match done {
                Done::Made => import.tally.made += 1,
                Done::Changed => import.tally.changed += 1,
                Done::Same => import.tally.same += 1,
                Done::LeftOut(what) => {
                    import.tally.leave_out(LeftOut { line: row.line, title: row.title.clone(), what: vec![what] });
                }
            }
            if import.noted(at).is_some() {
                import.stock_set.push(row.line);
            }
            // A change without effect was made by an interrupted attempt, or by others.
            if is_carried_out && matches!(row.change, RowChange::Change(_)) && !import.tally.applied.contains(&row.line)
            {
                import.tally.applied.push(row.line);
            }
            (import.done, import.note, import.attempts) = (at + 1, None, 0);
            if import.done.is_multiple_of(WRITE_AFTER) || written.elapsed() >= WRITE_EVERY {
                self.keep(import).await?;
                written = std::time::Instant::now();
            }
        }
        self.end(import).await
    }

    /// Writes the progress, and extends the claim.
    async fn keep(&self, import: &mut Import) -> Result<(), Stop> {
        import.due_at = later(LEASE);
        import.version = crash::around("import.write", self.store.save(import, None, &[])).await?;
        Ok(())
    }

    async fn end(&self, import: &mut Import) -> Result<(), Stop> {
        let now = Timestamp::now();
        let contact = match self.service.contact(import.seller).await {
            Ok(contact) => Some(contact),
            // The seller no longer exists, and no mail is needed.
            Err(CallError::Refused(ProductRefusal::NotFound)) => None,
            Err(error) => return Err(Stop::Later(error)),
        };
        let event = contact.map(|seller| Event::ProductImportFinished {
            import: import.id,
            run: import.run,
            seller,
            made: import.tally.made,
            changed: import.tally.changed,
            same: import.tally.same,
            left_out: import.tally.left_out_count(),
        });
        let events: Vec<_> = event.map(|event| envelope(event, now)).into_iter().collect();
        import.finished_at = Some(now);
        let saved = crash::around("import.finish", self.store.save(import, None, &events)).await;
        if let Err(error) = saved {
            import.finished_at = None;
            return Err(error.into());
        }
        self.finished.notify_waiters();
        Ok(())
    }

    async fn row(&self, import: &mut Import, at: u64, row: &ImportRow) -> Result<Done, Stop> {
        match &row.change {
            RowChange::Make(new) => {
                let id = import.product_of(row.line);
                let made =
                    crash::around("import.row", self.service.create_imported(id, product(import.seller, new))).await;
                match made {
                    // In the first run of a file only this import can have made it.
                    Ok(made) => Ok(if made || import.run == 1 { Done::Made } else { Done::Same }),
                    Err(error) => refused(error),
                }
            }
            RowChange::Change(_) if import.tally.applied.contains(&row.line) => Ok(Done::Same),
            RowChange::Change(change) => self.change(import, at, row.line, change).await,
        }
    }

    /// A remaining record of the stock means that it was set, or may have been.
    async fn change(&self, import: &mut Import, at: u64, line: u64, row: &ChangedRow) -> Result<Done, Stop> {
        for _ in 0..STOCK_TRIES {
            let editor = Editor::seller(import.seller);
            let product = match self.service.editable(row.product, editor).await {
                Ok(product) => product,
                Err(error) => return refused(error),
            };
            let level = self.service.stock(row.product).await.map_err(|error| Stop::Later(error.into()))?;
            let noted = import.noted(at);
            let (now, version) = level.as_ref().map_or((0, 0), |level| (level.available(), level.version));
            let is_set = import.stock_set.contains(&line);
            let step = if is_set { StockStep::Leave } else { row.stock_step(level.as_ref(), noted) };
            let stock = match step {
                StockStep::Leave => StockChange::default(),
                StockStep::Set { to, seen } => {
                    if noted.is_none() {
                        // Written before it is set, so that a worker that continues after a crash does not set it
                        // again and undo later sales.
                        import.note = Some(StockNote { row: at, available: now, version });
                        self.keep(import).await?;
                    }
                    StockChange { available: Some(to), seen: Some(seen) }
                }
                StockStep::Unsure => {
                    return Ok(Done::LeftOut(format!(
                        "stock: is {now} now and changed while the import was interrupted; the row was left out, look at the number"
                    )));
                }
            };
            let patch = row.patch.clone().without_what_is_so(&product);
            if patch.is_empty() && stock.available.is_none() {
                // A recorded stock that is correct was set by an earlier attempt.
                return Ok(if noted.is_some() { Done::Changed } else { Done::Same });
            }
            let change = ChangeProduct { product: row.product, editor, patch, stock, files: vec![] };
            match crash::around("import.row", self.service.apply(product, change)).await {
                Ok(_) => return Ok(Done::Changed),
                Err(CallError::Refused(ProductRefusal::Stock(StockError::Moved { available }))) => {
                    // It was not set.
                    import.note = None;
                    let Some(seen) = row.stock_seen else { continue };
                    return Ok(Done::LeftOut(format!(
                        "stock: is {available} now and was {seen} when it was read; the row was left out, look at the number"
                    )));
                }
                Err(error) => return refused(error),
            }
        }
        Ok(Done::LeftOut("stock: others keep changing it; send the row again".to_owned()))
    }
}

/// The consequence of a row's failure.
fn refused(error: Failure) -> Result<Done, Stop> {
    match error {
        CallError::Refused(ProductRefusal::NotFound | ProductRefusal::NotYours) => {
            Ok(Done::LeftOut("id: there is no product of yours with this id".to_owned()))
        }
        CallError::Refused(refusal) => Ok(Done::LeftOut(refusal.to_string())),
        error => Err(Stop::Later(error)),
    }
}

fn product(seller: UserId, new: &NewRow) -> CreateProduct {
    let NewRow { title, description, price, stock, category, max_per_order } = new.clone();
    CreateProduct { seller, title, description, price, stock, category, max_per_order, files: vec![] }
}

fn later(by: Duration) -> Timestamp {
    Timestamp::now().saturating_add(by).unwrap_or(Timestamp::MAX)
}
