//! Mails that go out by a mail server.
//!
//! [`Mails`] accepts a mail by one write into the delivery log, and `sender` sends what waits there, so that a
//! notification waits for the store and never for a mail server. A mail that is postponed is retried with backoff and
//! fails after the last retry; a refused mail fails at once. `resend` sends one by hand.
//!
//! **Invariant:** a mail is in the log before its event counts as handled, and is sent until the server takes or
//! refuses it or its attempts are used up; one that is recorded as sent is sent again only by hand.

mod attempt;
mod resend;
mod sender;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use resend::{ResendError, Resent, resend};

use super::send_loop::SendLoop;
use crate::{
    domain::ids::EventId,
    integrations::{
        mail::{Mail, MailError, MailTransport, Mailer, Retention},
        redis::{ChangeNotifier, topic},
    },
    runtime::Runtime,
    store::MailboxStore,
};

/// The most mails in progress, and connections to the mail server.
const AT_ONCE: u32 = 4;

/// The handle to the delivery log and its sender.
#[derive(Clone)]
pub struct Mails {
    state: Arc<SenderState>,
}

/// The state shared by the handle and the sender.
struct SenderState {
    store: MailboxStore,
    transport: Arc<dyn MailTransport>,
    /// The pauses before a mail is tried again; after the last one it has failed.
    pauses: Vec<Duration>,
    /// The attempts in progress.
    sending: SendLoop,
    retention: Retention,
}

impl Mails {
    /// Starts the sender, which is notified when any node accepts a mail.
    #[must_use]
    pub fn start(
        runtime: &Runtime,
        store: MailboxStore,
        transport: Arc<dyn MailTransport>,
        pauses: Vec<Duration>,
        notifier: &ChangeNotifier,
    ) -> Self {
        let sending = SendLoop::new("mails", AT_ONCE, notifier, topic::MAILS);
        let state = Arc::new(SenderState { store, transport, pauses, sending, retention: Retention::default() });
        runtime.background("mail_sender", Arc::clone(&state), async |state| state.run().await);
        Self { state }
    }

    /// Whether the mail server was reachable at the last check.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state.transport.is_up()
    }

    /// Starts to send no more mails, and waits for those in progress.
    pub async fn finish(&self, within: Duration) {
        // Unfinished items are sent again after their claims expire.
        self.state.sending.finish(within).await;
    }
}

#[async_trait]
impl Mailer for Mails {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        if self.state.store.open(event, mail).await? {
            self.state.sending.notify();
        }
        Ok(())
    }
}
