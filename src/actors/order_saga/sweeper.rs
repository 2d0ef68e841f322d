//! Finds orders with something to do and wakes their sagas.
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

use futures_util::StreamExt;

use super::{OrderRefusal, Sagas, saga::SagaContext};
use crate::{
    domain::{
        Timestamp,
        ids::OrderId,
        order::{Order, OrderError},
    },
    runtime::{Next, Pace, Runtime, calls::CallError},
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
pub(super) struct Sweep {
    context: Arc<SagaContext>,
    sagas: Sagas,
    /// For which version of the blocked users all unpaid orders were looked through. After a restart
    /// that is done anew, so that a crash leaves none out.
    blocked: AtomicU64,
}

impl Sweep {
    pub(super) fn new(context: Arc<SagaContext>, sagas: Sagas) -> Self {
        Self { context, sagas, blocked: AtomicU64::new(NEVER) }
    }

    /// Starts to look.
    pub(super) fn start(self, runtime: &Runtime) {
        runtime.repeat("order_sweeper", Pace::every(EVERY), Arc::new(self), async |sweep| sweep.run().await);
    }

    async fn run(&self) -> Next {
        if let Err(error) = self.sweep_blocked().await {
            tracing::warn!(%error, "unpaid orders of blocked sellers could not be looked for");
        }
        let due = match self.context.store.due(Timestamp::now(), BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "due orders could not be looked for");
                return Next::Failed;
            }
        };
        let full = is_full(&due);
        let any_failed = self.each(due, |saga, id| async move { saga.wake(id).await }).await;
        if full && !any_failed { Next::Again } else { Next::Wait }
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
