//! `OrderSweeper`: finds orders with something to do and wakes their sagas.
//!
//! **Invariant:** it decides nothing; it only wakes sagas, and waking one too often is
//! harmless.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::StreamExt;

use super::{OrderRefusal, Sagas, saga::SagaContext};
use crate::{
    domain::{
        Timestamp,
        ids::OrderId,
        order::{Order, OrderError},
    },
    runtime::calls::CallError,
    store::StoreError,
};

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);
/// How many orders to fetch at once.
const BATCH: u32 = 256;
/// How many sagas to wake at once.
const AT_ONCE: usize = 16;
/// No version of the blocked users.
const NEVER: u64 = u64::MAX;

/// Looks for orders that are due: the payment window's end, steps that failed, steps that a
/// crash left undone. Runs on every node: doing a step twice is doing it once.
pub struct OrderSweeper {
    sweep: Sweep,
}

/// What a sweep works with; outlives the actor.
#[derive(Clone)]
pub(super) struct Sweep {
    context: Arc<SagaContext>,
    sagas: Sagas,
    /// For which version of the blocked users all unpaid orders were looked through. After a restart
    /// that is done anew, so that a crash leaves none out.
    blocked: Arc<AtomicU64>,
}

impl OrderSweeper {
    pub(super) const fn new(sweep: Sweep) -> Self {
        Self { sweep }
    }

    fn look_later(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(EVERY, |actor, ctx| {
            let sweep = actor.sweep.clone();
            let look = async move { sweep.run().await };
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

impl Sweep {
    pub(super) fn new(context: Arc<SagaContext>, sagas: Sagas) -> Self {
        Self { context, sagas, blocked: Arc::new(AtomicU64::new(NEVER)) }
    }

    async fn run(&self) {
        if let Err(error) = self.sweep_blocked().await {
            tracing::warn!(%error, "unpaid orders of blocked sellers could not be looked for");
        }
        loop {
            let due = match self.context.store.due(Timestamp::now(), BATCH).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(%error, "due orders could not be looked for");
                    return;
                }
            };
            let full = is_full(&due);
            let any_failed = self.each(due, |saga, id| async move { saga.wake(id).await }).await;
            if !full || any_failed {
                return;
            }
        }
    }

    /// Ends the unpaid orders of sellers who are blocked, once after each change of who is.
    async fn sweep_blocked(&self) -> Result<(), StoreError> {
        let Some(blocked) = self.context.blocked() else { return Ok(()) };
        let version = blocked.version();
        if self.blocked.load(Ordering::Acquire) == version {
            return Ok(());
        }
        let sellers = blocked.known();
        let (mut after, mut any_failed) = (None, false);
        while !sellers.is_empty() {
            let unpaid = self.context.store.unpaid(after, BATCH).await?;
            after = unpaid.last().map(|order| order.id);
            let of_blocked = |order: &&Order| order.items.iter().any(|item| sellers.contains(&item.seller));
            let orders: Vec<OrderId> = unpaid.iter().filter(of_blocked).map(|order| order.id).collect();
            any_failed |= self.each(orders, |saga, id| async move { saga.suspend(id).await }).await;
            if !is_full(&unpaid) {
                break;
            }
        }
        if !any_failed {
            self.blocked.store(version, Ordering::Release);
        }
        Ok(())
    }

    /// Lets the sagas of these orders do a step; whether any could not do it.
    async fn each<F>(&self, orders: Vec<OrderId>, step: fn(Arc<SagaContext>, OrderId) -> F) -> bool
    where
        F: Future<Output = Result<Order, CallError<OrderRefusal>>> + Send + 'static,
    {
        let run = |order| async move { self.sagas.run(&order, move |saga| step(saga, order)).await };
        let answers: Vec<_> = futures_util::stream::iter(orders).map(run).buffer_unordered(AT_ONCE).collect().await;
        let mut any_failed = false;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            // It was paid or cancelled a moment ago.
            if matches!(error, CallError::Refused(OrderRefusal::Rule(OrderError::WrongState { .. }))) {
                continue;
            }
            any_failed = true;
            tracing::warn!(%error, "an order's next step has to wait");
        }
        any_failed
    }
}

fn is_full<T>(batch: &[T]) -> bool {
    batch.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX)
}
