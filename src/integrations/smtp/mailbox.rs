//! The embedded mailbox: mails are kept in the store and shown by the shop itself.
//!
//! **Invariant:** one mail for each event and address, however often it is sent.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Mail, MailError, Mailer};
use crate::{
    domain::ids::EventId,
    store::{MailboxStore, StoreError},
};

/// Keeps mails instead of sending them.
#[derive(Clone)]
pub struct MailboxMailer {
    store: Arc<dyn MailboxStore>,
}

impl MailboxMailer {
    /// A mailer that keeps its mails in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn MailboxStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Mailer for MailboxMailer {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        match self.store.put(event, mail).await {
            Ok(_new_or_known) => Ok(()),
            Err(error @ (StoreError::Corrupt(_) | StoreError::Duplicate(_))) => {
                Err(MailError::Permanent(error.to_string()))
            }
            Err(
                error @ (StoreError::Busy | StoreError::Conflict | StoreError::Deadline | StoreError::Unavailable(_)),
            ) => Err(MailError::Temporary(error.to_string())),
        }
    }
}
