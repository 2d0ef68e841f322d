//! The daily token budget of each user for a language model, stored in the database.

use async_trait::async_trait;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{ConversationStore, conversations::day_of},
    ws::agent::Budget,
};

/// Allows a number of tokens per user and day (UTC), counted over all nodes. If the store cannot return how many were
/// used, the remaining budget is 0.
pub struct StoredBudget {
    store: ConversationStore,
    per_day: u64,
}

impl StoredBudget {
    /// A budget of `per_day` tokens per user and day.
    #[must_use]
    pub fn new(store: ConversationStore, per_day: u64) -> Self {
        Self { store, per_day }
    }
}

#[async_trait]
impl Budget for StoredBudget {
    async fn left(&self, user: UserId) -> u64 {
        match self.store.spent(user, day_of(Timestamp::now())).await {
            Ok(spent) => self.per_day.saturating_sub(spent),
            Err(error) => {
                tracing::warn!(%error, "the model tokens used today could not be read");
                0
            }
        }
    }

    async fn spend(&self, user: UserId, tokens: u64) {
        if tokens > 0
            && let Err(error) = self.store.spend(user, day_of(Timestamp::now()), tokens).await
        {
            tracing::warn!(%error, "the model tokens used could not be counted");
        }
    }
}
