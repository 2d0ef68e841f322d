//! The dead messages at the broker.
//!
//! **Invariant:** no message is acknowledged before its own queue has it.

use anyhow::Result;
use async_trait::async_trait;
use secrecy::SecretString;

use super::{DeadLetterStore, DeadMessage, Filter, Page};
use crate::{
    bus::rabbit::{dead::DeadQueues, wire::DeadLetter},
    domain::queues::QUEUES,
};

/// The dead queues at the broker.
pub(super) struct BrokerDeadLetters(DeadQueues);

impl BrokerDeadLetters {
    /// Connects, in one attempt.
    ///
    /// # Errors
    /// When the broker is unavailable.
    pub(super) async fn connect(url: SecretString) -> Result<Self> {
        Ok(Self(DeadQueues::connect(url).await?))
    }
}

#[async_trait]
impl DeadLetterStore for BrokerDeadLetters {
    async fn find(&self, filter: &Filter, limit: usize) -> Result<Page> {
        let mut all = Page::default();
        for queue in QUEUES.iter().filter(|queue| filter.takes_queue(queue.name)) {
            if all.messages.len() == limit {
                all.more = true;
                break;
            }
            let wanted = |dead_letter: &DeadLetter| filter.takes_id(&dead_letter.id, dead_letter.event);
            let found = self.0.read(queue, limit - all.messages.len(), wanted).await?;
            all.messages.extend(found.letters.into_iter().map(shown));
            all.more |= found.more;
        }
        Ok(all)
    }

    async fn replay(&self, filter: &Filter) -> Result<u64> {
        let mut replayed = 0;
        for queue in QUEUES.iter().filter(|queue| filter.takes_queue(queue.name)) {
            replayed += self.0.replay(queue, |dead_letter| filter.takes_id(&dead_letter.id, dead_letter.event)).await?;
        }
        Ok(replayed)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.0.close().await;
        Ok(())
    }
}

fn shown(dead_letter: DeadLetter) -> DeadMessage {
    DeadMessage {
        id: dead_letter.id,
        queue: dead_letter.queue.to_owned(),
        name: dead_letter.name,
        event: dead_letter.event,
        occurred_at: dead_letter.occurred_at,
        attempts: dead_letter.attempts,
        reason: dead_letter.reason,
        payload: dead_letter.body,
    }
}
