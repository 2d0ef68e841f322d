//! The channel of e-mail: one delivery in, one mail out to each whom it is about.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Channel, ShopInfo,
    facts::{self, To},
    letter::Recipient,
};
use crate::{
    bus::{Delivery, HandleError, table},
    integrations::smtp::{MailError, Mailer},
    peers::Peers,
};

/// The queues whose deliveries become mails.
const QUEUES: [&str; 10] = [
    table::USER_CREATED_NOTIFICATION,
    table::PRODUCT_CREATED_NOTIFICATION,
    table::PRODUCT_IMPORT_FINISHED_NOTIFICATION,
    table::PAYMENT_INITIATED_NOTIFICATION,
    table::PAYMENT_COMPLETED_NOTIFICATION,
    table::PAYMENT_FAILED_NOTIFICATION,
    table::PAYMENT_REFUNDED_NOTIFICATION,
    table::PAYMENT_DISPUTED_NOTIFICATION,
    table::ORDER_SHIPPED_NOTIFICATION,
    table::ORDER_CANCELLED_NOTIFICATION,
];

/// Composes mails and hands them to a [`Mailer`].
pub struct EmailChannel {
    peers: Peers,
    mailer: Arc<dyn Mailer>,
    shop: ShopInfo,
}

impl EmailChannel {
    /// Mails go out by `mailer`; a buyer's address is asked of `peers`.
    #[must_use]
    pub fn new(peers: Peers, mailer: Arc<dyn Mailer>, shop: ShopInfo) -> Self {
        Self { peers, mailer, shop }
    }
}

#[async_trait]
impl Channel for EmailChannel {
    fn name(&self) -> &'static str {
        "email"
    }

    fn queues(&self) -> &'static [&'static str] {
        &QUEUES
    }

    async fn notify(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let Some((to, letter)) = facts::read(delivery)? else { return Ok(()) };
        let recipients = match to {
            To::Named(recipients) => recipients,
            To::User(user) => {
                let accounts = self.peers.accounts().map_err(later)?;
                let contact = accounts.contact(user).await.map_err(later)?;
                let contact = contact.ok_or_else(|| HandleError::Unreadable("nobody knows this buyer".into()))?;
                vec![Recipient::of(&contact)?]
            }
        };
        for recipient in recipients {
            let mail = letter.mail(&recipient, &self.shop, delivery.occurred_at)?;
            // Of an event, one address gets one mail, also when the delivery is made again.
            self.mailer.send(delivery.event, &mail).await.map_err(|error| match error {
                MailError::Temporary(_) => later(error),
                MailError::Permanent(_) => HandleError::Unreadable(error.to_string()),
            })?;
        }
        Ok(())
    }
}

fn later(error: impl ToString) -> HandleError {
    HandleError::Away(error.to_string())
}
