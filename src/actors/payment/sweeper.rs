//! Finds payments with something to do and wakes them, and the gateway's reports that were
//! stored and not worked on; forgets those that are old.
//!
//! **Invariant:** it decides nothing of its own.

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
/// How many payments to fetch at once.
const BATCH: u32 = 128;
/// How often old reports are forgotten, and how many at once.
const FORGET_EVERY: Duration = Duration::from_mins(1);
const FORGOTTEN: u32 = 500;
/// How many to work on at once.
const AT_ONCE: usize = 8;

/// Starts to look for payments that are due. Runs on every node: what is done twice is done once.
pub(super) fn start(runtime: &Runtime, service: Arc<PaymentService>, workers: Workers<PaymentService>) {
    let state = Arc::new((service, workers));
    runtime.background("payment_sweeper", state, async |state| {
        let (service, workers) = &*state;
        // Apart: reports that wait for a slow gateway hold up no payment that is due.
        tokio::join!(
            every(EVERY, async || work_on_reports(service).await),
            every(EVERY, async || sweep(&service.store, workers).await),
            every(FORGET_EVERY, async || {
                if let Err(error) = service.store.forget_reports(Timestamp::now(), FORGOTTEN).await {
                    tracing::warn!(%error, "old reports are forgotten later");
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

/// Works on reports that whoever stored them did not finish.
async fn work_on_reports(service: &PaymentService) {
    let due = match service.store.due_reports(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "due reports could not be looked for");
            return;
        }
    };
    let mut worked = futures_util::stream::iter(due).map(|report| service.work_on(report)).buffer_unordered(AT_ONCE);
    while let Some(done) = worked.next().await {
        if let Err(error) = done {
            tracing::warn!(%error, "a report is worked on again later");
        }
    }
}

async fn sweep(store: &PaymentStore, workers: &Workers<PaymentService>) {
    let due = match store.due(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "due payments could not be looked for");
            return;
        }
    };
    let wake = |payment| workers.run(Service::Payment, move |service| async move { service.wake(payment).await });
    let mut woken = futures_util::stream::iter(due).map(wake).buffer_unordered(AT_ONCE);
    while let Some(answer) = woken.next().await {
        if let Err(error) = answer {
            tracing::warn!(%error, "a payment's next step has to wait");
        }
    }
}
