//! `IndexFollower`: keeps the search index up with the store.
//!
//! **Invariant:** the index never skips a change: what it has not committed is read again.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::Notify;

use super::index::{IndexError, SearchIndex};
use crate::store::{ProductStore, StoreError, products::ProductChange};

/// How many changes to read at once.
const BATCH: u32 = 1_000;
/// The shortest time between two commits: changes that come together are shown together.
const PAUSE: Duration = Duration::from_millis(100);
/// With no change for this long the index's writer gives its memory back.
const IDLE: Duration = Duration::from_secs(3);
/// How long to wait after something failed.
const TROUBLE: Duration = Duration::from_secs(1);

/// Reads changes by their sequence, from the one that the index last committed, so that a
/// crash or a missed wake-up leaves no gap.
pub struct IndexFollower {
    follow: Arc<Follow>,
}

struct Follow {
    store: Arc<dyn ProductStore>,
    index: Arc<SearchIndex>,
    changed: Arc<Notify>,
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the index's work was cut short")]
    Cut,
}

impl IndexFollower {
    pub(super) fn new(store: Arc<dyn ProductStore>, index: Arc<SearchIndex>, changed: Arc<Notify>) -> Self {
        Self { follow: Arc::new(Follow { store, index, changed }) }
    }
}

impl Actor for IndexFollower {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let follow = Arc::clone(&self.follow);
        ctx.spawn(async move { follow.run().await }.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Follow {
    async fn run(&self) {
        loop {
            match self.catch_up().await {
                Ok(()) => self.wait().await,
                Err(error) => {
                    tracing::warn!(%error, "the search index is behind");
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
    }

    async fn wait(&self) {
        tokio::time::sleep(PAUSE).await;
        if tokio::time::timeout(IDLE, self.changed.notified()).await.is_ok() {
            return;
        }
        if let Err(error) = self.blocking(|index, _| index.release_writer(), vec![]).await {
            tracing::warn!(%error, "the search index kept its memory");
        }
        self.changed.notified().await;
    }

    async fn catch_up(&self) -> Result<(), Trouble> {
        let mut seen = self.index.last_sequence();
        // An index that knows more than the store belongs to another store, or to a later
        // state of it than the one that was restored.
        if seen > 0 && self.store.changes_since(seen - 1, 1).await?.is_empty() {
            self.blocking(|index, _| index.clear(), vec![]).await?;
            seen = 0;
        }
        let mut any = false;
        loop {
            let changes = self.store.changes_since(seen, BATCH).await?;
            let Some(last) = changes.last() else { break };
            seen = last.sequence;
            let full = changes.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            self.blocking(SearchIndex::apply, changes).await?;
            any = true;
            if !full {
                break;
            }
        }
        if any {
            self.blocking(|index, _| index.commit(), vec![]).await?;
        }
        Ok(())
    }

    async fn blocking(
        &self,
        work: fn(&SearchIndex, &[ProductChange]) -> Result<(), IndexError>,
        changes: Vec<ProductChange>,
    ) -> Result<(), Trouble> {
        let index = Arc::clone(&self.index);
        let done = tokio::task::spawn_blocking(move || work(&index, &changes)).await;
        Ok(done.map_err(|_| Trouble::Cut)??)
    }
}
