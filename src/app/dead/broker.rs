//! The dead messages at the broker.
//!
//! **Invariant:** none is acknowledged before its own queue has it.

use anyhow::Result;
use async_trait::async_trait;
use secrecy::SecretString;

use super::{DeadMessage, Found, Resting, Which};
use crate::{
    bus::rabbit::{dead::DeadQueues, wire::Letter},
    domain::queues::QUEUES,
};

/// The dead queues at the broker.
pub(super) struct AtBroker(DeadQueues);

impl AtBroker {
    /// Connects, in one attempt.
    ///
    /// # Errors
    /// When the broker is away.
    pub(super) async fn connect(url: SecretString) -> Result<Self> {
        Ok(Self(DeadQueues::connect(url).await?))
    }
}

#[async_trait]
impl Resting for AtBroker {
    async fn find(&self, which: &Which, limit: usize) -> Result<Found> {
        let mut all = Found::default();
        for queue in QUEUES.iter().filter(|queue| which.takes_queue(queue.name)) {
            if all.messages.len() == limit {
                all.more = true;
                break;
            }
            let wanted = |letter: &Letter| which.takes_id(&letter.id, letter.event);
            let found = self.0.read(queue, limit - all.messages.len(), wanted).await?;
            all.messages.extend(found.letters.into_iter().map(shown));
            all.more |= found.more;
        }
        Ok(all)
    }

    async fn replay(&self, which: &Which) -> Result<u64> {
        let mut replayed = 0;
        for queue in QUEUES.iter().filter(|queue| which.takes_queue(queue.name)) {
            replayed += self.0.replay(queue, |letter| which.takes_id(&letter.id, letter.event)).await?;
        }
        Ok(replayed)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.0.close().await;
        Ok(())
    }
}

fn shown(letter: Letter) -> DeadMessage {
    DeadMessage {
        id: letter.id,
        queue: letter.queue.to_owned(),
        name: letter.name,
        event: letter.event,
        occurred_at: letter.occurred_at,
        attempts: letter.attempts,
        reason: letter.reason,
        payload: letter.body,
    }
}
