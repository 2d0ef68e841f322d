//! The embedded mailbox: mails are stored and shown by the shop itself. Adding a mail also deletes old ones, because
//! nothing else makes the mailbox grow.
//!
//! **Invariant:** one mail for each event and address, however often it is sent.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Mail, MailError, Mailer, retention::Retention};
use crate::{domain::ids::EventId, store::MailboxStore};

/// Stores mails instead of sending them.
#[derive(Clone)]
pub struct MailboxMailer {
    store: MailboxStore,
    retention: Arc<Retention>,
}

impl MailboxMailer {
    /// A mailer that stores its mails in `store`.
    #[must_use]
    pub fn new(store: MailboxStore) -> Self {
        Self { store, retention: Arc::default() }
    }
}

#[async_trait]
impl Mailer for MailboxMailer {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        self.retention.tidy(&self.store).await;
        let _new_or_known = self.store.put(event, mail).await?;
        Ok(())
    }
}
