//! What a user may still spend on a model today, by what the store has.

use async_trait::async_trait;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{ConversationStore, conversations::day_of},
    ws::agent::Budget,
};

/// A number of tokens for each user and day (UTC), on all nodes together. While the store cannot
/// tell what was spent, nothing is left.
pub struct StoredBudget {
    store: ConversationStore,
    per_day: u64,
}

impl StoredBudget {
    /// With so many tokens for each user and day.
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
                tracing::warn!(%error, "what was spent on the model is not known");
                0
            }
        }
    }

    async fn spend(&self, user: UserId, tokens: u64) {
        if tokens > 0
            && let Err(error) = self.store.spend(user, day_of(Timestamp::now()), tokens).await
        {
            tracing::warn!(%error, "what was spent on the model was not counted");
        }
    }
}
