//! The dead messages of the embedded outbox.
//!
//! A running server may share the file; each waits for the other's writes.
//!
//! **Invariant:** a replay changes only the row's time, so that the relay finds it due.

use anyhow::Result;
use async_trait::async_trait;

use super::{super::Storage, DeadLetterStore, DeadMessage, Filter, Page};
use crate::{
    config::Config,
    domain::Timestamp,
    store::{OutboxStore, outbox::Parked, sqlite::SqliteStore},
    views::event::messages,
};

/// How many rows to read at once.
const PAGE: u32 = 256;

/// The outbox in the data directory.
pub(super) struct OutboxDeadLetters {
    storage: Storage,
    store: std::sync::Arc<dyn OutboxStore>,
}

impl OutboxDeadLetters {
    /// Whether there is a store.
    pub(super) fn is_there(config: &Config) -> bool {
        config.mongo.uri.is_some() || SqliteStore::is_in(&config.data_dir)
    }

    /// Opens the store, which other processes may be using.
    ///
    /// # Errors
    /// When there is none, or another version of the program created it.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let storage = Storage::open_beside(config).await?;
        let store = storage.stores().outbox;
        Ok(Self { storage, store })
    }

    /// Reads the dead rows that match, page by page, until `visit` has enough.
    async fn each(&self, filter: &Filter, mut visit: impl FnMut(Parked) -> bool) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.store.dead(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for row in page {
                let meant = filter.takes_queue(&row.queue) && filter.takes_id(&row.id.to_string(), row.envelope.id);
                if meant && !visit(row) {
                    return Ok(());
                }
            }
        }
    }
}

#[async_trait]
impl DeadLetterStore for OutboxDeadLetters {
    async fn find(&self, filter: &Filter, limit: usize) -> Result<Page> {
        let mut found = Page::default();
        self.each(filter, |row| {
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

    async fn replay(&self, filter: &Filter) -> Result<u64> {
        // Collected first, so that a message that dies again at once is retried only once.
        let mut meant = vec![];
        self.each(filter, |row| {
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
