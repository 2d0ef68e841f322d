//! `StockFollower`: shows what other nodes did to the stock.
//!
//! **Invariant:** what another node changed is shown within a second while the store is
//! there, and after it was away; a late look repeats changes rather than miss one.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use jiff::SignedDuration;
use tokio::sync::Notify;

use super::StockListener;
use crate::{
    domain::{Timestamp, inventory::StockLevel},
    integrations::redis::{Wake, topic},
    store::{SharedStore, StoreError},
};

/// How often to look; more seldom where other nodes wake it.
const EVERY: Duration = Duration::from_millis(250);
/// The shortest time between two looks: changes that come together are shown together.
const PAUSE: Duration = Duration::from_millis(50);
/// How far back each look reaches: a write takes a moment, and clocks of nodes differ.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// How many changes to read at once.
const BATCH: u32 = 5_000;
/// How long to wait after something failed.
const TROUBLE: Duration = Duration::from_secs(1);

/// Reads changed stock and tells whoever shows it.
pub struct StockFollower {
    follow: Arc<Follow>,
}

/// What outlives the actor.
pub(super) struct Follow {
    store: Arc<dyn SharedStore>,
    listener: Arc<dyn StockListener>,
    wake: Wake,
    /// Another node changed stock.
    woken: Arc<Notify>,
}

impl StockFollower {
    pub(super) const fn new(follow: Arc<Follow>) -> Self {
        Self { follow }
    }
}

/// Tells `listener`, and other nodes that there is something to look at.
struct Waking {
    listener: Arc<dyn StockListener>,
    wake: Wake,
}

impl StockListener for Waking {
    fn stock_changed(&self, level: &StockLevel) {
        self.listener.stock_changed(level);
        self.wake.wake_others(topic::STOCK);
    }
}

/// Is told of what this node changes, for `listener` and for other nodes.
pub fn waking(listener: Arc<dyn StockListener>, wake: Wake) -> Arc<dyn StockListener> {
    Arc::new(Waking { listener, wake })
}

impl Actor for StockFollower {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let follow = Arc::clone(&self.follow);
        ctx.spawn(async move { follow.run().await }.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Follow {
    pub(super) fn new(store: Arc<dyn SharedStore>, listener: Arc<dyn StockListener>, wake: &Wake) -> Self {
        Self { store, listener, wake: wake.clone(), woken: wake.listen(topic::STOCK) }
    }

    async fn run(&self) {
        let mut seen = Timestamp::now();
        loop {
            match self.look(seen).await {
                Ok(newest) => {
                    seen = newest;
                    tokio::time::sleep(PAUSE).await;
                    let every = self.wake.look_every(EVERY);
                    let _either = tokio::time::timeout(every, self.woken.notified()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "stock of other nodes is not followed");
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
    }

    /// Tells of every change since a while before `seen`; returns when the newest was.
    async fn look(&self, seen: Timestamp) -> Result<Timestamp, StoreError> {
        let mut since = seen.saturating_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut newest = seen;
        loop {
            let changes = self.store.stock_changed_since(since, BATCH).await?;
            let full = changes.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            for change in &changes {
                self.listener.stock_changed(&change.level);
                newest = newest.max(change.at);
            }
            // All of one moment would be read for ever.
            match changes.last() {
                Some(last) if full && last.at > since => since = last.at,
                _ => return Ok(newest),
            }
        }
    }
}
