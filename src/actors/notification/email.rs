//! The channel of e-mail: one delivery in, one mail out to each whom it is about.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Channel, ShopInfo,
    facts::{self, To},
    letter::{self, Letter, Recipient},
};
use crate::{
    actors::accounts::calls::GetContact,
    bus::{Delivery, HandleError},
    domain::{ids::UserId, queues, user::Contact},
    integrations::mail::{MailError, Mailer},
    runtime::calls::Calls,
};

/// The queues whose deliveries become mails.
const QUEUES: [&str; 12] = [
    queues::USER_CREATED_NOTIFICATION,
    queues::PRODUCT_CREATED_NOTIFICATION,
    queues::PRODUCT_IMPORT_FINISHED_NOTIFICATION,
    queues::PAYMENT_INITIATED_NOTIFICATION,
    queues::PAYMENT_COMPLETED_NOTIFICATION,
    queues::PAYMENT_FAILED_NOTIFICATION,
    queues::PAYMENT_REFUNDED_NOTIFICATION,
    queues::PAYMENT_DISPUTED_NOTIFICATION,
    queues::ORDER_CONFIRMED_NOTIFICATION,
    queues::ORDER_SHIPPED_NOTIFICATION,
    queues::ORDER_DELIVERED_NOTIFICATION,
    queues::ORDER_CANCELLED_NOTIFICATION,
];

/// Composes mails and hands them to a [`Mailer`].
pub struct EmailChannel {
    calls: Calls,
    mailer: Arc<dyn Mailer>,
    shop: ShopInfo,
}

impl EmailChannel {
    /// Mails go out by `mailer`; a buyer's address is asked by `calls`.
    #[must_use]
    pub fn new(calls: Calls, mailer: Arc<dyn Mailer>, shop: ShopInfo) -> Self {
        Self { calls, mailer, shop }
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
        for (to, letter) in facts::read(delivery)? {
            self.write(delivery, to, letter).await?;
        }
        Ok(())
    }
}

impl EmailChannel {
    async fn write(&self, delivery: &Delivery, to: To, mut letter: Letter) -> Result<(), HandleError> {
        let recipients = match to {
            To::Named(recipients) => recipients,
            To::User(user) => {
                let contact = self.contact(user).await?;
                let contact = contact.ok_or_else(|| HandleError::Unreadable("nobody knows this buyer".into()))?;
                vec![Recipient::of(&contact)?]
            }
            To::Seller { seller, buyer } => {
                // A seller who is gone keeps no other from hearing of the sale.
                let Some(recipient) = self.contact(seller).await?.and_then(|known| Recipient::of(&known).ok()) else {
                    return Ok(());
                };
                if let (Letter::NewOrder(of), Some(buyer)) = (&mut letter, buyer)
                    && of.recipient.is_none()
                {
                    of.recipient = self.contact(buyer).await?.and_then(|buyer| name_of(&buyer));
                }
                vec![recipient]
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

    async fn contact(&self, user: UserId) -> Result<Option<Contact>, HandleError> {
        self.calls.ask(GetContact { user }).await.map_err(later)
    }
}

/// The name to write on a parcel.
fn name_of(buyer: &Contact) -> Option<String> {
    letter::name(&format!("{} {}", buyer.full_name.first_name, buyer.full_name.last_name))
}

fn later(error: impl ToString) -> HandleError {
    HandleError::Away(error.to_string())
}
