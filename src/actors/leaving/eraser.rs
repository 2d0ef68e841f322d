//! Removes deleted users from the documents of a service.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Leaving, is_deleted,
    places::{Erased, Holds, PLACES},
};
use crate::{
    actors::payload::missing,
    bus::{Consumer, Delivery, HandleError},
    config::Service,
    domain::{ids::UserId, queues},
    trace::Trace,
};

/// How long the work on one delivery may take, because other events wait meanwhile. What is done by then stays done, and
/// the delivery comes again.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// The queues of the event. The seller dashboard reads its own with its others, and auth has nothing left to remove.
static QUEUES: [(Service, [&str; 1]); 6] = [
    (Service::Product, [queues::USER_DELETED_PRODUCT]),
    (Service::Cart, [queues::USER_DELETED_CART]),
    (Service::Order, [queues::USER_DELETED_ORDER]),
    (Service::Payment, [queues::USER_DELETED_PAYMENT]),
    (Service::AiBuddy, [queues::USER_DELETED_AI_BUDDY]),
    (Service::Notification, [queues::USER_DELETED_NOTIFICATION]),
];

/// Reads the event for one service.
pub struct Eraser {
    pub(super) service: Service,
    queues: &'static [&'static str],
    leaving: Leaving,
}

impl Eraser {
    /// One for each service that has to remove something.
    pub(super) fn all(leaving: &Leaving) -> impl Iterator<Item = Self> {
        QUEUES.iter().map(|(service, queues)| Self { service: *service, queues, leaving: leaving.clone() })
    }

    async fn erase(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let user = delivery.payload.get("id").and_then(Value::as_str).and_then(|id| id.parse::<UserId>().ok());
        let user = user.ok_or_else(|| missing("id"))?;
        // Another program may have written this message.
        if !is_deleted(&self.leaving.stores, user).await.map_err(later)? {
            return Err(HandleError::Unreadable("this account is not deleted".to_owned()));
        }
        for place in PLACES.iter().filter(|place| place.service == self.service) {
            if let Holds::Person { erased: Erased::By(erase), .. } = place.holds {
                erase(&self.leaving, user).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Consumer for Eraser {
    fn queues(&self) -> &'static [&'static str] {
        self.queues
    }

    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Result<(), HandleError>> {
        let mut answers = Vec::with_capacity(deliveries.len());
        for delivery in &deliveries {
            let trace = delivery.trace.map_or_else(Trace::begin, Trace::child);
            let erased = tokio::time::timeout(GIVE_UP_AFTER, trace.scope(self.erase(delivery))).await;
            answers.push(erased.unwrap_or_else(|_| Err(later("it was not done in time"))));
        }
        answers
    }
}

/// It is tried again for as long as it takes.
pub(super) fn later(error: impl ToString) -> HandleError {
    HandleError::Away(error.to_string())
}
