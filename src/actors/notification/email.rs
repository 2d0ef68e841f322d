//! The e-mail channel: sends a mail to each recipient of a delivery.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Channel, ShopInfo,
    email_data::{self, To},
    email_template::{self, EmailTemplate, Recipient},
};
use crate::{
    actors::{
        accounts::calls::{GetContact, GetUser},
        tokens::Tokens,
    },
    bus::{Delivery, HandleError},
    domain::{ids::UserId, leaving::is_deleted_email, queues, user::Contact},
    integrations::mail::{MailError, Mailer},
    runtime::calls::Calls,
    store::mailbox::Mail,
};

/// The queues whose deliveries become mails.
const QUEUES: [&str; 16] = [
    queues::USER_CREATED_NOTIFICATION,
    queues::PASSWORD_RESET_NOTIFICATION,
    queues::PASSWORD_CHANGED_NOTIFICATION,
    queues::EMAIL_CONFIRMATION_NOTIFICATION,
    queues::EMAIL_CHANGE_NOTIFICATION,
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
    tokens: Tokens,
}

impl EmailChannel {
    /// Sends mails through `mailer`, and reads a buyer's address through `calls`. `tokens` makes the tokens of links.
    #[must_use]
    pub fn new(calls: Calls, mailer: Arc<dyn Mailer>, shop: ShopInfo, tokens: Tokens) -> Self {
        Self { calls, mailer, shop, tokens }
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
        for (to, email_template) in email_data::read(delivery)? {
            self.write(delivery, to, email_template).await?;
        }
        Ok(())
    }
}

impl EmailChannel {
    async fn write(&self, delivery: &Delivery, to: To, mut email_template: EmailTemplate) -> Result<(), HandleError> {
        let (mut unsubscribe, mut about) = (None, None);
        // A payload may have been made before its user deleted their account.
        let is_told = matches!(to, To::Named(_) | To::Announced { .. });
        let recipients = match to {
            To::Named(recipients) => recipients,
            To::Announced { seller, recipient } => {
                if let Some(user) = seller {
                    let known = self.calls.ask(GetUser { user }).await.map_err(later)?;
                    if known.is_some_and(|user| user.no_announcements) {
                        return Ok(());
                    }
                    unsubscribe = Some(self.shop.unsubscribe_url(&self.tokens.unsubscribe_token(user)));
                }
                vec![recipient]
            }
            To::User(user) => {
                let contact = self.contact(user).await?;
                let contact = contact.ok_or_else(|| HandleError::Unreadable("nobody knows this buyer".into()))?;
                vec![Recipient::of(&contact)?]
            }
            To::Seller { seller, buyer } => {
                // A missing seller must not keep others from being notified.
                let Some(recipient) = self.contact(seller).await?.and_then(|known| Recipient::of(&known).ok()) else {
                    return Ok(());
                };
                about = buyer;
                if let (EmailTemplate::NewOrder(of), Some(buyer)) = (&mut email_template, buyer)
                    && of.recipient.is_none()
                {
                    of.recipient = self.contact(buyer).await?.and_then(|buyer| name_of(&buyer));
                }
                vec![recipient]
            }
        };
        email_template.make_link(&self.shop, &self.tokens);
        for recipient in recipients {
            let mail = email_template.mail(&recipient, &self.shop, delivery.occurred_at)?;
            let mail = Mail { unsubscribe: unsubscribe.clone(), about, ..mail };
            let user = mail.user.filter(|_| is_told);
            if is_deleted_email(&mail.to) || self.is_deleted(user).await? || self.is_deleted(about).await? {
                continue;
            }
            // An address gets one mail for an event, even if the delivery is repeated.
            self.mailer.send(delivery.event, &mail).await.map_err(|error| match error {
                MailError::Temporary(_) => later(error),
                MailError::Permanent(_) => HandleError::Unreadable(error.to_string()),
            })?;
        }
        Ok(())
    }

    /// Whether a user has deleted their account.
    async fn is_deleted(&self, user: Option<UserId>) -> Result<bool, HandleError> {
        let Some(user) = user else { return Ok(false) };
        Ok(self.contact(user).await?.is_some_and(|known| known.is_deleted()))
    }

    async fn contact(&self, user: UserId) -> Result<Option<Contact>, HandleError> {
        self.calls.ask(GetContact { user }).await.map_err(later)
    }
}

/// The name to write on a parcel.
fn name_of(buyer: &Contact) -> Option<String> {
    email_template::name(&format!("{} {}", buyer.full_name.first_name, buyer.full_name.last_name))
}

fn later(error: impl ToString) -> HandleError {
    HandleError::Away(error.to_string())
}
