//! The actor: one delivery in, one mail out.
//!
//! It keeps no state, so that mails of many people are on their way at once; a panic loses
//! only those on their way, and each is tried again.
//!
//! **Invariant:** every delivery is answered before the caller's deadline, whatever the
//! mailer and the peers do.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message, ResponseActFuture, WrapFuture};

use super::{
    ShopInfo,
    facts::{self, To},
    letter::Recipient,
};
use crate::{
    bus::{Delivery, HandleError},
    integrations::smtp::{MailError, Mailer},
    peers::Peers,
};

/// Less than the caller waits.
const GIVE_UP_AFTER: Duration = Duration::from_secs(25);

/// Composes and sends mails.
#[derive(Clone)]
pub struct NotificationActor {
    peers: Peers,
    mailer: Arc<dyn Mailer>,
    shop: Arc<ShopInfo>,
}

/// Sends the mail of a delivery.
#[derive(Message)]
#[rtype(result = "Result<(), HandleError>")]
pub(super) struct Deliver(pub(super) Delivery);

impl NotificationActor {
    pub(super) fn new(peers: Peers, mailer: Arc<dyn Mailer>, shop: Arc<ShopInfo>) -> Self {
        Self { peers, mailer, shop }
    }

    async fn send(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let (to, letter) = facts::read(delivery)?;
        let recipient = match to {
            To::Named(recipient) => recipient,
            To::User(user) => {
                let accounts = self.peers.accounts().map_err(later)?;
                let contact = accounts.contact(user).await.map_err(later)?;
                let contact = contact.ok_or_else(|| HandleError::Unreadable("nobody knows this buyer".into()))?;
                Recipient::of(&contact)?
            }
        };
        let mail = letter.mail(&recipient, &self.shop, delivery.occurred_at)?;
        self.mailer.send(delivery.event, &mail).await.map_err(|error| match error {
            MailError::Temporary(_) => later(error),
            MailError::Permanent(_) => HandleError::Unreadable(error.to_string()),
        })
    }
}

fn later(error: impl ToString) -> HandleError {
    HandleError::Transient(error.to_string())
}

impl Actor for NotificationActor {
    type Context = Context<Self>;
}

impl Handler<Deliver> for NotificationActor {
    type Result = ResponseActFuture<Self, Result<(), HandleError>>;

    fn handle(&mut self, Deliver(delivery): Deliver, _: &mut Self::Context) -> Self::Result {
        let this = self.clone();
        let work = async move {
            let sent = tokio::time::timeout(GIVE_UP_AFTER, this.send(&delivery)).await;
            sent.unwrap_or_else(|_| Err(later("the mail was not sent in time")))
        };
        Box::pin(work.into_actor(self))
    }
}
