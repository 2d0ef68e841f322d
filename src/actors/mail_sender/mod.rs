//! Mails that go out by a mail server.
//!
//! [`Mails`] takes a mail on by one write into the delivery log, and `sender` sends what
//! waits there. So whoever tells of an event waits for the store and never for a mail server. A
//! mail that is put off is tried again after growing pauses and has failed after the last; one
//! that is refused has failed at once. `resend` sends one by hand.
//!
//! **Invariant:** a mail is in the log before its event counts as handled, and is sent until
//! the server takes or refuses it or its tries are used up; one that is recorded as sent is
//! not sent again but by hand.

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
        redis::{Wake, topic},
    },
    runtime::Runtime,
    store::MailboxStore,
};

/// Mails under way at once; as many connections are opened to the mail server.
const AT_ONCE: u32 = 4;

/// The delivery log and who works it off, as the rest of the program sees them.
#[derive(Clone)]
pub struct Mails {
    shared: Arc<Shared>,
}

/// What the facade and the sender share.
struct Shared {
    store: MailboxStore,
    transport: Arc<dyn MailTransport>,
    /// The pauses before a mail is tried again; after the last it has failed.
    pauses: Vec<Duration>,
    /// What is on its way.
    sending: SendLoop,
    retention: Retention,
}

impl Mails {
    /// Starts the sender, which is woken by whichever node takes a mail on.
    #[must_use]
    pub fn start(
        runtime: &Runtime,
        store: MailboxStore,
        transport: Arc<dyn MailTransport>,
        pauses: Vec<Duration>,
        wake: &Wake,
    ) -> Self {
        let sending = SendLoop::new("mails", AT_ONCE, wake, topic::MAILS);
        let shared = Arc::new(Shared { store, transport, pauses, sending, retention: Retention::default() });
        runtime.background("mail_sender", Arc::clone(&shared), async |shared| shared.run().await);
        Self { shared }
    }

    /// Whether the mail server was there when it was last looked for.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.shared.transport.is_up()
    }

    /// Begins to send no more mails, and waits for those under way.
    pub async fn finish(&self, within: Duration) {
        // What is not finished by then is sent again after its claim is over.
        self.shared.sending.finish(within).await;
    }
}

#[async_trait]
impl Mailer for Mails {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        if self.shared.store.open(event, mail).await? {
            self.shared.sending.wake();
        }
        Ok(())
    }
}
