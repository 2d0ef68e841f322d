//! The actor: applies a batch of deliveries in one write.
//!
//! It has no state. One batch is written at a time, so that batches are applied in order.
//!
//! **Invariant:** a batch is applied as a whole, except for its unreadable deliveries.

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, AtomicResponse, Context, Handler, Message, WrapFuture};

use super::{legacy_payloads, project::project};
use crate::{
    bus::{Delivery, HandleError},
    store::{DashboardStore, StoreError},
};

/// The results of a batch, one for each delivery.
pub(super) type Answers = Vec<Result<(), HandleError>>;

/// Writes the read model.
pub struct SellerDashboardActor {
    store: Arc<dyn DashboardStore>,
}

/// Applies deliveries in their order.
#[derive(Message)]
#[rtype(result = "Result<Answers, StoreError>")]
pub(super) struct Apply(pub(super) Arc<[Delivery]>);

impl SellerDashboardActor {
    pub(super) fn new(store: Arc<dyn DashboardStore>) -> Self {
        Self { store }
    }
}

impl Actor for SellerDashboardActor {
    type Context = Context<Self>;
}

impl Handler<Apply> for SellerDashboardActor {
    type Result = AtomicResponse<Self, Result<Answers, StoreError>>;

    fn handle(&mut self, Apply(deliveries): Apply, _: &mut Self::Context) -> Self::Result {
        let store = Arc::clone(&self.store);
        let work = async move {
            let mut changes = Vec::with_capacity(deliveries.len());
            let mut answers = Answers::with_capacity(deliveries.len());
            let unnamed: Vec<_> = deliveries.iter().flat_map(legacy_payloads::without_seller).collect();
            let sellers = if unnamed.is_empty() { HashMap::new() } else { store.sellers_of(&unnamed).await? };
            for delivery in &*deliveries {
                let change = match legacy_payloads::without_seller(delivery)[..] {
                    [] => project(delivery),
                    _ => legacy_payloads::with_sellers(delivery, &sellers).and_then(|completed| project(&completed)),
                };
                answers.push(change.map(|change| changes.push((delivery.event, change))));
            }
            if !changes.is_empty() {
                store.apply(&changes).await?;
            }
            Ok(answers)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self)))
    }
}
