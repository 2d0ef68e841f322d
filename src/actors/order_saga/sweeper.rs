//! Finds orders that are due and resumes their sagas.
//!
//! **Invariant:** it decides nothing; resuming a saga too often is harmless.

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

/// How often due orders are looked up.
const EVERY: Duration = Duration::from_millis(500);
/// How many orders are read at once.
const BATCH: u32 = 256;
/// How many sagas are resumed concurrently.
const AT_ONCE: usize = 16;
/// A value that is no version of the blocked users.
const NO_VERSION: u64 = u64::MAX;

/// Finds orders that are due: an ended payment window, failed steps, or steps that a
/// crash interrupted. Runs on every node, because steps are idempotent.
pub(super) struct Sweep {
    context: Arc<SagaContext>,
    sagas: Sagas,
    /// The version of the blocked users for which all unpaid orders were checked. After a restart
    /// all are checked again, so that a crash skips none.
    blocked: AtomicU64,
}

impl Sweep {
    pub(super) fn new(context: Arc<SagaContext>, sagas: Sagas) -> Self {
        Self { context, sagas, blocked: AtomicU64::new(NO_VERSION) }
    }

    /// Starts the repeated task.
    pub(super) fn start(self, runtime: &Runtime) {
        runtime.repeat("order_sweeper", Pace::every(EVERY), Arc::new(self), async |sweep| sweep.run().await);
    }

    async fn run(&self) -> Next {
        if let Err(error) = self.sweep_blocked().await {
            tracing::warn!(%error, "unpaid orders of blocked sellers could not be read");
        }
        let due = match self.context.store.due(Timestamp::now(), BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "due orders could not be read");
                return Next::Failed;
            }
        };
        let full = is_full(&due);
        let any_failed = self.each(due, |saga, id| async move { saga.resume(id).await }).await;
        if full && !any_failed { Next::Again } else { Next::Wait }
    }

    /// Cancels the unpaid orders of blocked sellers, once after each change of the blocked users.
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

    /// Runs a step on the sagas of these orders; returns whether any failed.
    async fn each<F>(&self, orders: Vec<OrderId>, step: fn(Arc<SagaContext>, OrderId) -> F) -> bool
    where
        F: Future<Output = Result<Order, CallError<OrderRefusal>>> + Send + 'static,
    {
        let run = |order| async move { self.sagas.run(&order, move |saga| step(saga, order)).await };
        let answers: Vec<_> = futures_util::stream::iter(orders).map(run).buffer_unordered(AT_ONCE).collect().await;
        let mut any_failed = false;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            // It was paid or cancelled in the meantime.
            if matches!(error, CallError::Refused(OrderRefusal::Rule(OrderError::WrongState { .. }))) {
                continue;
            }
            any_failed = true;
            tracing::warn!(%error, "the next step of an order failed and will be retried");
        }
        any_failed
    }
}

fn is_full<T>(batch: &[T]) -> bool {
    batch.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX)
}
