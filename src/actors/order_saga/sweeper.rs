//! `OrderSweeper`: finds orders with something to do and wakes their sagas.
//!
//! **Invariant:** it decides nothing; it only wakes sagas, and waking one too often is
//! harmless.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::StreamExt;

use super::{OrderSaga, actor::Task};
use crate::{
    actors::runtime::Keyed,
    domain::{Timestamp, ids::OrderId},
    store::OrderStore,
};

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);
/// How many orders to fetch at once.
const BATCH: u32 = 256;
/// How many sagas to wake at once.
const AT_ONCE: usize = 16;
/// How many looks between two clearings of old idempotency keys.
const LOOKS_PER_CLEARING: u32 = 7_200;

/// Looks for orders that are due: the payment window's end, steps that failed, steps that a
/// crash left undone. Runs on every node: doing a step twice is doing it once.
pub struct OrderSweeper {
    store: Arc<dyn OrderStore>,
    sagas: Keyed<OrderId, OrderSaga>,
    looks: u32,
}

impl OrderSweeper {
    pub(super) const fn new(store: Arc<dyn OrderStore>, sagas: Keyed<OrderId, OrderSaga>) -> Self {
        Self { store, sagas, looks: 0 }
    }

    fn look_later(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(EVERY, |actor, ctx| {
            actor.looks = actor.looks.wrapping_add(1);
            let clear = actor.looks % LOOKS_PER_CLEARING == 0;
            let look = sweep(Arc::clone(&actor.store), actor.sagas.clone(), clear);
            ctx.spawn(look.into_actor(actor).map(|(), actor, ctx| actor.look_later(ctx)));
        });
    }
}

impl Actor for OrderSweeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_later(ctx);
    }
}

async fn sweep(store: Arc<dyn OrderStore>, sagas: Keyed<OrderId, OrderSaga>, clear: bool) {
    if clear && let Err(error) = store.forget_keys(Timestamp::now()).await {
        tracing::warn!(%error, "old idempotency keys could not be cleared for now");
    }
    loop {
        let due = match store.due(Timestamp::now(), BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "due orders could not be looked for");
                return;
            }
        };
        let full = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        let sagas = &sagas;
        let wake = |order| async move { sagas.ask(&order, Task::Wake).await };
        let woken: Vec<_> = futures_util::stream::iter(due).map(wake).buffer_unordered(AT_ONCE).collect().await;
        let failed = woken.iter().filter_map(|answer| answer.as_ref().err());
        let mut any_failed = false;
        for error in failed {
            any_failed = true;
            tracing::warn!(%error, "an order's next step has to wait");
        }
        if !full || any_failed {
            return;
        }
    }
}
