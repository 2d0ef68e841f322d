//! The seller dashboard: a read model made from events alone.
//!
//! [`SellerDashboard`] reads the dashboard's queues; its [`SellerDashboardActor`] turns a batch of deliveries into
//! changes ([`project`]) and applies them in one write. Queries go directly to the store, so that reads never wait in
//! a mailbox. [`rebuild()`] rebuilds the read model from the owners' current documents.
//!
//! An invalid delivery is [`HandleError::Unreadable`] and does not block others; an unavailable store is
//! [`HandleError::Away`] for all of them.
//!
//! **Invariant:** a delivery is answered with `Ok` only after its row is stored; applying
//! it again changes nothing.

mod actor;
pub mod calls;
mod legacy_payloads;
pub mod project;
pub mod rebuild;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use self::{
    actor::{Answers, Apply},
    calls::{GetSellerMetrics, GetSellerOrders, GetSellerProducts},
};
pub use actor::SellerDashboardActor;
pub use rebuild::{RebuildReport, rebuild};

use crate::{
    bus::{Consumer, Delivery, HandleError},
    domain::{ids::UserId, queues},
    runtime::{
        AskError, Handle, Limits, Runtime,
        calls::{Handles, Outcome, Registry},
    },
    store::{DashboardStore, StoreError, Stores, dashboard::OrderRow},
    views::dashboard::order_for_seller,
};

/// The queues whose deliveries become rows.
const QUEUES: [&str; 10] = [
    queues::USER_CREATED_DASHBOARD,
    queues::USER_DELETED_DASHBOARD,
    queues::PRODUCT_CREATED_DASHBOARD,
    queues::PRODUCT_UPDATED_DASHBOARD,
    queues::PRODUCT_DELETED_DASHBOARD,
    queues::ORDER_CREATED_DASHBOARD,
    queues::ORDER_UPDATED_DASHBOARD,
    queues::PAYMENT_CREATED_DASHBOARD,
    queues::PAYMENT_UPDATED_DASHBOARD,
    queues::PAYMENT_UPDATE_DASHBOARD,
];

/// The seller dashboard service.
#[derive(Clone)]
pub struct SellerDashboard {
    actor: Handle<SellerDashboardActor>,
}

impl SellerDashboard {
    /// Starts the actor over the dashboard of `stores`, and registers the calls.
    pub fn start(runtime: &Runtime, registry: &mut Registry, stores: &Stores) -> Self {
        let reads = Arc::new(DashboardReads(Arc::clone(&stores.dashboard)));
        registry.serve::<GetSellerMetrics>(&reads).serve::<GetSellerOrders>(&reads).serve::<GetSellerProducts>(&reads);
        Self::over(runtime, Arc::clone(&stores.dashboard))
    }

    fn over(runtime: &Runtime, store: Arc<dyn DashboardStore>) -> Self {
        let limits = Limits { in_flight: 256, deadline: Duration::from_secs(15) };
        let of_actor = Arc::clone(&store);
        let actor =
            runtime.supervise("seller_dashboard", limits, move || SellerDashboardActor::new(Arc::clone(&of_actor)));
        Self { actor }
    }

    async fn apply(&self, deliveries: &Arc<[Delivery]>) -> Result<Answers, AskError<StoreError>> {
        self.actor.ask(Apply(Arc::clone(deliveries))).await
    }

    async fn apply_one(&self, delivery: &Delivery) -> Result<(), HandleError> {
        match self.apply(&Arc::from([delivery.clone()])).await {
            Ok(answers) => answers.into_iter().next().unwrap_or_else(|| Err(no_answer(&AskError::Died))),
            Err(error) => Err(no_answer(&error)),
        }
    }
}

/// Reads that bypass the actor.
struct DashboardReads(Arc<dyn DashboardStore>);

impl Handles<GetSellerMetrics> for DashboardReads {
    async fn handle(&self, call: GetSellerMetrics) -> Outcome<GetSellerMetrics> {
        Ok(self.0.metrics(call.seller, call.range).await?)
    }
}

impl Handles<GetSellerOrders> for DashboardReads {
    async fn handle(&self, call: GetSellerOrders) -> Outcome<GetSellerOrders> {
        let GetSellerOrders { seller, to_ship, skip, limit } = call;
        let mut page = match to_ship {
            true => self.0.to_ship(seller, skip, limit).await?,
            false => self.0.orders(seller, skip, limit).await?,
        };
        page.rows.iter_mut().for_each(|row| keep_lines_of(row, seller));
        Ok(page)
    }
}

impl Handles<GetSellerProducts> for DashboardReads {
    async fn handle(&self, call: GetSellerProducts) -> Outcome<GetSellerProducts> {
        Ok(self.0.products(call.seller, call.skip, call.limit).await?)
    }
}

/// Removes the lines of other sellers from an order's row.
fn keep_lines_of(row: &mut OrderRow, seller: UserId) {
    row.document = order_for_seller(row, seller);
    row.lines.retain(|line| line.seller == seller);
}

fn no_answer(error: &AskError<StoreError>) -> HandleError {
    let reason = format!("the dashboard did not take it: {error}");
    if may_be_one(error) { HandleError::Transient(reason) } else { HandleError::Away(reason) }
}

/// Whether one delivery may have failed the whole batch, so that each should be tried alone.
const fn may_be_one(error: &AskError<StoreError>) -> bool {
    match error {
        AskError::Died | AskError::Refused(StoreError::Corrupt(_) | StoreError::Conflict) => true,
        AskError::Busy
        | AskError::Restarting
        | AskError::Deadline
        | AskError::Refused(StoreError::Busy | StoreError::Deadline | StoreError::Unavailable(_)) => false,
    }
}

#[async_trait]
impl Consumer for SellerDashboard {
    fn queues(&self) -> &'static [&'static str] {
        &QUEUES
    }

    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>> {
        let deliveries: Arc<[Delivery]> = deliveries.into();
        let error = match self.apply(&deliveries).await {
            Ok(answers) => return answers,
            Err(error) => error,
        };
        if deliveries.len() < 2 || !may_be_one(&error) {
            return deliveries.iter().map(|_| Err(no_answer(&error))).collect();
        }
        let mut answers = Vec::with_capacity(deliveries.len());
        for delivery in &*deliveries {
            answers.push(self.apply_one(delivery).await);
        }
        answers
    }
}

#[cfg(test)]
mod tests;
