//! `PaymentSweeper`: finds payments with something to do and wakes them, and the gateway's
//! reports that were stored and not worked on; forgets those that are old.
//!
//! **Invariant:** it decides nothing of its own.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::StreamExt;

use super::{PaymentActor, actor::Task, flow::Flow};
use crate::{actors::runtime::Sharded, domain::Timestamp, store::PaymentStore};

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);
/// How many payments to fetch at once.
const BATCH: u32 = 128;
/// How often old reports are forgotten, and how many at once.
const FORGET_EVERY: Duration = Duration::from_mins(1);
const FORGOTTEN: u32 = 500;
/// How many to work on at once.
const AT_ONCE: usize = 8;

/// Looks for payments that are due. Runs on every node: what is done twice is done once.
pub struct PaymentSweeper {
    flow: Flow,
    payments: Sharded<PaymentActor>,
}

impl PaymentSweeper {
    pub(super) const fn new(flow: Flow, payments: Sharded<PaymentActor>) -> Self {
        Self { flow, payments }
    }
}

impl Actor for PaymentSweeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Apart: reports that wait for a slow gateway hold up no payment that is due.
        let flow = self.flow.clone();
        let reports = async move {
            loop {
                tokio::time::sleep(EVERY).await;
                work_on_reports(&flow).await;
            }
        };
        let (store, payments) = (self.flow.store.clone(), self.payments.clone());
        let due = async move {
            loop {
                tokio::time::sleep(EVERY).await;
                sweep(&store, &payments).await;
            }
        };
        let store = self.flow.store.clone();
        let forget = async move {
            loop {
                tokio::time::sleep(FORGET_EVERY).await;
                if let Err(error) = store.forget_reports(Timestamp::now(), FORGOTTEN).await {
                    tracing::warn!(%error, "old reports are forgotten later");
                }
            }
        };
        ctx.spawn(reports.into_actor(self));
        ctx.spawn(forget.into_actor(self));
        ctx.spawn(due.into_actor(self));
    }
}

/// Works on reports that whoever stored them did not finish.
async fn work_on_reports(flow: &Flow) {
    let due = match flow.store.due_reports(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "due reports could not be looked for");
            return;
        }
    };
    let mut worked = futures_util::stream::iter(due).map(|report| flow.work_on(report)).buffer_unordered(AT_ONCE);
    while let Some(done) = worked.next().await {
        if let Err(error) = done {
            tracing::warn!(%error, "a report is worked on again later");
        }
    }
}

async fn sweep(store: &PaymentStore, payments: &Sharded<PaymentActor>) {
    let due = match store.due(Timestamp::now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "due payments could not be looked for");
            return;
        }
    };
    let wake = |payment| async move { payments.of(&payment).ask(Task::Wake { payment }).await };
    let mut woken = futures_util::stream::iter(due).map(wake).buffer_unordered(AT_ONCE);
    while let Some(answer) = woken.next().await {
        if let Err(error) = answer {
            tracing::warn!(%error, "a payment's next step has to wait");
        }
    }
}
