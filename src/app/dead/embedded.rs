//! The dead messages of the embedded outbox.
//!
//! The file is shared with a server that may run; each waits for the other's writes.
//!
//! **Invariant:** a replay moves the row's time alone: whoever relays finds it due.

use anyhow::Result;
use async_trait::async_trait;

use super::{super::Storage, DeadMessage, Found, Resting, Which};
use crate::{
    config::Config,
    domain::Timestamp,
    store::{OutboxStore, outbox::Parked, sqlite::SqliteStore},
    views::event::messages,
};

/// How many rows to read at once.
const PAGE: u32 = 256;

/// The outbox in the data directory.
pub(super) struct InOutbox {
    storage: Storage,
    store: std::sync::Arc<dyn OutboxStore>,
}

impl InOutbox {
    /// Whether there is a store.
    pub(super) fn is_there(config: &Config) -> bool {
        config.mongo.uri.is_some() || SqliteStore::is_in(&config.data_dir)
    }

    /// Opens the store beside whoever else uses it.
    ///
    /// # Errors
    /// When there is none, or another version of the program made it.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let storage = Storage::open_beside(config).await?;
        let store = storage.stores().outbox;
        Ok(Self { storage, store })
    }

    /// Reads the dead rows that are meant, page by page, until `visit` has enough.
    async fn each(&self, which: &Which, mut visit: impl FnMut(Parked) -> bool) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.store.dead(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for row in page {
                let meant = which.takes_queue(&row.queue) && which.takes_id(&row.id.to_string(), row.envelope.id);
                if meant && !visit(row) {
                    return Ok(());
                }
            }
        }
    }
}

#[async_trait]
impl Resting for InOutbox {
    async fn find(&self, which: &Which, limit: usize) -> Result<Found> {
        let mut found = Found::default();
        self.each(which, |row| {
            if found.messages.len() == limit {
                found.more = true;
                return false;
            }
            found.messages.push(shown(row));
            true
        })
        .await?;
        Ok(found)
    }

    async fn replay(&self, which: &Which) -> Result<u64> {
        // Taken together first: one that dies again at once is tried once.
        let mut meant = vec![];
        self.each(which, |row| {
            meant.push(row.id);
            true
        })
        .await?;
        Ok(self.store.revive(&meant, Timestamp::now()).await?)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        drop(self.store);
        self.storage.close().await
    }
}

fn shown(row: Parked) -> DeadMessage {
    let message = messages(&row.envelope).into_iter().find(|message| message.queue == row.queue);
    let payload = message.map(|message| message.payload.to_string().into_bytes());
    DeadMessage {
        id: row.id.to_string(),
        queue: row.queue,
        name: row.envelope.event.name().to_owned(),
        event: row.envelope.id,
        occurred_at: Some(row.envelope.occurred_at),
        attempts: usize::try_from(row.attempts).unwrap_or(usize::MAX),
        reason: row.reason,
        payload: payload.unwrap_or_default(),
    }
}
