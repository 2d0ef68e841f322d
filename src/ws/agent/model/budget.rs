//! Tokens a day and a user, counted in this process.
//!
//! **Invariant:** memory is bounded: users who did not spend for a day are forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use moka::sync::Cache;

use crate::{domain::ids::UserId, ws::agent::Budget};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Users who are counted at once.
const USERS_MAX: u64 = 200_000;

/// So many tokens for each user, whole again a day after the first of them was spent.
pub struct DayBudget {
    tokens: u64,
    spent: Cache<UserId, Arc<AtomicU64>>,
}

impl DayBudget {
    /// `tokens` a day for each.
    #[must_use]
    pub fn new(tokens: u64) -> Self {
        Self { tokens, spent: Cache::builder().max_capacity(USERS_MAX).time_to_live(DAY).build() }
    }
}

#[async_trait]
impl Budget for DayBudget {
    async fn left(&self, user: UserId) -> u64 {
        let spent = self.spent.get(&user).map_or(0, |spent| spent.load(Ordering::Relaxed));
        self.tokens.saturating_sub(spent)
    }

    async fn spend(&self, user: UserId, tokens: u64) {
        self.spent.get_with(user, Arc::default).fetch_add(tokens, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_user_spends_her_own_and_no_more_than_there_is() {
        let budget = DayBudget::new(100);
        let (anna, ben) = (UserId::generate(), UserId::generate());
        budget.spend(anna, 70).await;
        assert_eq!((budget.left(anna).await, budget.left(ben).await), (30, 100));
        budget.spend(anna, 70).await;
        assert_eq!(budget.left(anna).await, 0);
    }
}
