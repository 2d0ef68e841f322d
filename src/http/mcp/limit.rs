//! The rate limit of a user's agents.
//!
//! **Invariant:** memory is bounded: users whose allowance is full again are removed.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::domain::ids::UserId;

/// Messages of one user in a minute, all at once or spread.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(240).unwrap();
/// Idle users are removed once in this many messages.
const SWEEP_EVERY: u64 = 5_000;

pub(super) struct CallLimit {
    users: DefaultKeyedRateLimiter<UserId>,
    clock: DefaultClock,
    calls: AtomicU64,
}

impl Default for CallLimit {
    fn default() -> Self {
        let users = RateLimiter::keyed(Quota::per_minute(PER_MINUTE));
        Self { users, clock: DefaultClock::default(), calls: AtomicU64::new(0) }
    }
}

impl CallLimit {
    /// Counts a message of `user`.
    ///
    /// # Errors
    ///
    /// How many seconds to wait, after too many messages.
    pub(super) fn admit(&self, user: UserId) -> Result<(), u64> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.users.retain_recent();
            self.users.shrink_to_fit();
        }
        let wait = |until: governor::NotUntil<_>| until.wait_time_from(self.clock.now()).as_secs() + 1;
        self.users.check_key(&user).map_err(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_their_own_allowance() {
        let limit = CallLimit::default();
        let (anna, ben) = (UserId::generate(), UserId::generate());
        assert!((0..PER_MINUTE.get()).all(|_| limit.admit(anna).is_ok()));
        assert!(limit.admit(anna).is_err_and(|seconds| (1..=2).contains(&seconds)));
        assert!(limit.admit(ben).is_ok());
    }
}
