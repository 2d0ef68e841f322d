//! Finds due payments and resumes them, processes stored reports of the gateway, and deletes old ones.
//!
//! **Invariant:** it makes no decisions itself.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;

use super::service::PaymentService;
use crate::{
    config::Service,
    domain::Timestamp,
    runtime::{Runtime, calls::Workers},
    store::PaymentStore,
};

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);
/// How many payments are read at once.
const BATCH: u32 = 128;
/// How often old reports are deleted, and how many at once.
const FORGET_EVERY: Duration = Duration::from_mins(1);
const FORGOTTEN: u32 = 500;
/// How many are processed at once.
const AT_ONCE: usize = 8;

/// Starts to look for payments that are due. Runs on every node, because the work is idempotent.
pub(super) fn start(runtime: &Runtime, service: Arc<PaymentService>, workers: Workers<PaymentService>) {
    let state = Arc::new((service, workers));
    runtime.background("payment_sweeper", state, async |state| {
        let (service, workers) = &*state;
        // Separate loops, so that reports that wait for a slow gateway do not delay due payments.
        tokio::join!(
            every(EVERY, async || work_on_reports(service).await),
            every(EVERY, async || sweep(&service.store, workers).await),
            every(FORGET_EVERY, async || {
                if let Err(error) = service.store.forget_reports(Timestamp::now(), FORGOTTEN).await {
                    tracing::warn!(%error, "could not delete old reports; retrying later");
                }
            }),
        );
    });
}

async fn every(interval: Duration, work: impl AsyncFn()) {
    loop {
        tokio::time::sleep(interval).await;
        work().await;
    }
}

/// Processes reports that their first worker did not finish.
async fn work_on_reports(service: &PaymentService) {
    let due = match service.store.due_reports(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "could not read due reports");
            return;
        }
    };
    let mut worked = futures_util::stream::iter(due).map(|report| service.work_on(report)).buffer_unordered(AT_ONCE);
    while let Some(done) = worked.next().await {
        if let Err(error) = done {
            tracing::warn!(%error, "processing a report failed; retrying later");
        }
    }
}

async fn sweep(store: &PaymentStore, workers: &Workers<PaymentService>) {
    let due = match store.due(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "could not read due payments");
            return;
        }
    };
    let resume = |payment| workers.run(Service::Payment, move |service| async move { service.resume(payment).await });
    let mut resumed = futures_util::stream::iter(due).map(resume).buffer_unordered(AT_ONCE);
    while let Some(answer) = resumed.next().await {
        if let Err(error) = answer {
            tracing::warn!(%error, "a payment's next step failed; retrying later");
        }
    }
}
