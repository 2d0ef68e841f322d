//! The embedded mailbox: mails are kept in the store and shown by the shop itself. Cleaning
//! up is part of keeping, since the mailbox grows by nothing else.
//!
//! **Invariant:** one mail for each event and address, however often it is sent.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Mail, MailError, Mailer, retention::Retention};
use crate::{domain::ids::EventId, store::MailboxStore};

/// Keeps mails instead of sending them.
#[derive(Clone)]
pub struct MailboxMailer {
    store: MailboxStore,
    retention: Arc<Retention>,
}

impl MailboxMailer {
    /// A mailer that keeps its mails in `store`.
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
