//! `ExpiryActor`: gives back what no order claimed in time.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::StockListener;
use crate::{domain::Timestamp, store::StockStore};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// How many to release in one write.
const BATCH: u32 = 256;

/// Looks for held reservations whose time is over. Runs on every node: releasing twice is
/// releasing once.
pub struct ExpiryActor {
    store: Arc<dyn StockStore>,
    listener: Arc<dyn StockListener>,
}

impl ExpiryActor {
    pub(super) const fn new(store: Arc<dyn StockStore>, listener: Arc<dyn StockListener>) -> Self {
        Self { store, listener }
    }

    fn look_later(&self, ctx: &mut Context<Self>) {
        ctx.run_later(EVERY, |actor, ctx| {
            let (store, listener) = (Arc::clone(&actor.store), Arc::clone(&actor.listener));
            let sweep = async move {
                loop {
                    match store.release_expired(Timestamp::now(), BATCH).await {
                        Ok(moves) => {
                            moves.iter().flat_map(|m| &m.changed).for_each(|level| listener.stock_changed(level));
                            if moves.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                                return;
                            }
                        }
                        Err(error) => {
                            tracing::warn!(%error, "reservations could not be released for now");
                            return;
                        }
                    }
                }
            };
            ctx.spawn(sweep.into_actor(actor).map(|(), actor, ctx| actor.look_later(ctx)));
        });
    }
}

impl Actor for ExpiryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_later(ctx);
    }
}
