//! `microbazaar migrate`: transfers an embedded shop to MongoDB.
//!
//! Records are read and written in batches, and each written batch is recorded in the database, so that an
//! interrupted transfer continues from there. A batch that was not recorded is written again, which changes nothing.
//!
//! **Invariant:** the source folder stays unchanged and is not served meanwhile, and no node opens the database
//! before every count agrees.

mod pictures;
mod text;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

use self::text::Progress;
use crate::{
    config::{Config, ConfigError, DataDir},
    domain::Timestamp,
    store::{
        StoreError,
        mongo::{Import, ImportError, MongoOptions},
        sqlite::{Batch, Export, Records, SqliteStore},
        transfer::{Kind, Record},
    },
};

/// How long one batch may take.
const WITHIN: Duration = Duration::from_secs(60);
/// The pauses before a batch is retried; after the last one the transfer stops.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// A requested transfer.
#[derive(Debug, Clone)]
pub struct Migration<'a> {
    /// The data directory of the source.
    pub from: &'a Path,
    /// The address of the target server.
    pub to: SecretString,
    /// The prefix of each service's database name.
    pub prefix: String,
    /// How much is read and written at once.
    pub batch: Batch,
}

/// How many records of a kind there are on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Which.
    pub kind: Kind,
    /// In the folder.
    pub from: u64,
    /// In the database.
    pub to: u64,
}

/// The result of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transferred {
    /// It was done now, and these counts agree.
    Now(Vec<Counted>),
    /// It was done earlier, at this time, and nothing was done now.
    Before(Timestamp),
}

/// Transfers the shop and prints what was transferred.
///
/// # Errors
/// One sentence: the folder has no shop or is in use, the database is unavailable, in use or contains another shop,
/// or counts differ.
pub fn command(config: &Config, from: Option<&Path>, to: Option<SecretString>) -> Result<()> {
    let Some(to) = to.or_else(|| config.mongo.uri.clone()) else {
        return Err(ConfigError::new("mongo.uri", "must be given, or --to: where the shop is to be moved").into());
    };
    let migration = Migration {
        from: from.unwrap_or(&config.data_dir),
        to,
        prefix: config.mongo.database_prefix.clone(),
        batch: Batch { rows: 500, bytes: 4 << 20 },
    };
    let mut progress = Progress::default();
    let transferred = actix_rt::System::new().block_on(migration.run(&mut |kind, done, all| {
        progress.report(kind, done, all);
        Ok(())
    }))?;
    super::commands::print(&text::result(&migration, &transferred));
    Ok(())
}

/// Called after each batch with the kind, the number of transferred records and their total; an error stops the
/// transfer.
pub type OnProgress<'a> = &'a mut dyn FnMut(Kind, u64, u64) -> Result<()>;

impl Migration<'_> {
    /// Transfers the shop.
    ///
    /// # Errors
    /// As [`command`].
    pub async fn run(&self, on_progress: OnProgress<'_>) -> Result<Transferred> {
        let folder = self.from.display();
        if !SqliteStore::is_in(self.from) {
            bail!("there is no shop in {folder}");
        }
        let _alone = DataDir::lock(self.from)?;
        let export = Export::open(self.from).with_context(|| format!("the shop in {folder} cannot be read"))?;
        let mut options = MongoOptions::new(self.to.clone(), self.prefix.clone());
        options.deadline = WITHIN;
        let import = Import::open(options).await.context("the database cannot be used")?;
        let transferred = self.take_in(&export, &import, on_progress).await;
        let closed = import.close().await;
        let transferred = transferred?;
        closed.context("the database was not left in time")?;
        Ok(transferred)
    }

    async fn take_in(&self, export: &Export, import: &Import, on_progress: OnProgress<'_>) -> Result<Transferred> {
        let begun = match import.begin(&export.fingerprint()?, Timestamp::now()).await {
            Ok(begun) => begun,
            Err(ImportError::Store(error)) => return Err(error).context("the database cannot be used"),
            Err(refusal) => bail!(
                "the shop is not moved to the databases {}*: {refusal}; empty them, or set another mongo.database_prefix",
                self.prefix
            ),
        };
        if let Some(at) = begun.finished {
            return Ok(Transferred::Before(at));
        }
        for kind in Kind::all() {
            let done = begun.written.get(kind.name()).copied().unwrap_or(0);
            self.move_kind(export, import, kind, done, on_progress).await?;
        }
        let counts = self.counts(export, import).await?;
        let differing: Vec<&Counted> = counts.iter().filter(|counted| counted.from != counted.to).collect();
        if !differing.is_empty() {
            bail!("{}", text::differing(&differing));
        }
        patiently(async || import.finish(Timestamp::now()).await).await?;
        Ok(Transferred::Now(counts))
    }

    /// Transfers the records of a kind after the first `done`.
    async fn move_kind(
        &self,
        export: &Export,
        import: &Import,
        kind: Kind,
        mut done: u64,
        on_progress: OnProgress<'_>,
    ) -> Result<()> {
        let all = self.count(export, kind).await?;
        let mut records = self.read(export, kind, done)?;
        on_progress(kind, done, all)?;
        while let Some(batch) = records.recv().await {
            let batch = batch.with_context(|| format!("the {} cannot be read", kind.name()))?;
            done += u64::try_from(batch.len())?;
            let written = patiently(async || import.write(kind, batch.clone(), done).await).await;
            written.with_context(|| format!("the {} cannot be written; begin again to go on", kind.name()))?;
            on_progress(kind, done, all)?;
        }
        Ok(())
    }

    fn read(&self, export: &Export, kind: Kind, skip: u64) -> Result<Records> {
        match kind {
            Kind::Pictures => Ok(pictures::read(self.from, skip, self.batch)?),
            kind => Ok(export.read(kind, skip, self.batch)?),
        }
    }

    async fn count(&self, export: &Export, kind: Kind) -> Result<u64> {
        match export.count(kind)? {
            Some(count) => Ok(count),
            None => Ok(pictures::count(self.from).await?),
        }
    }

    async fn counts(&self, export: &Export, import: &Import) -> Result<Vec<Counted>> {
        let mut counts = vec![];
        for kind in Kind::all() {
            let from = self.count(export, kind).await?;
            let to = patiently(async || import.count(kind).await).await?;
            counts.push(Counted { kind, from, to });
        }
        Ok(counts)
    }
}

/// Retries a failed call to the database, with backoff.
async fn patiently<T>(work: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for pause in PAUSES {
        match work().await {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Deadline | StoreError::Busy)) => {
                tracing::warn!(%error, "a call to the database failed; retrying");
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    work().await
}

/// The records of a kind that a thread reads from outside the store.
fn sent(work: impl FnOnce(&dyn Fn(Vec<Record>) -> bool) -> Result<(), StoreError> + Send + 'static) -> Records {
    let (send, records) = tokio::sync::mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = work(&|batch| send.blocking_send(Ok(batch)).is_ok()) {
            let _gone = send.blocking_send(Err(error));
        }
    });
    records
}
