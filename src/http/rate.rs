//! Limits by rate, for logins and the like: for each address and for each account.
//!
//! With a Redis the tries at all nodes are counted there, exactly; while it is away each node
//! counts by itself, going on from what it had let in.
//!
//! **Invariant:** memory is bounded: keys whose allowance is whole again are forgotten, at
//! the latest when there are many.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use metrics::counter;

use self::shared::SharedLimits;
use crate::{domain::identity::login_key, integrations::redis::Redis};

mod shared;

/// How many keys there may be before the idle ones are looked for at each thousandth check.
const KEYS_MANY: usize = 100_000;
/// How often the idle ones are looked for in any case, in checks.
const SWEEP_EVERY: u64 = 10_000;

/// The limits on logging in and registering.
pub struct AuthLimits {
    limits: Option<Limits>,
    shared: Option<SharedLimits>,
    per_minute: NonZeroU32,
}

struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    clock: DefaultClock,
    checks: AtomicU64,
}

impl AuthLimits {
    /// `per_minute` tries, all at once or spread, for each address and for each account;
    /// none when not enabled.
    #[must_use]
    pub fn new(enabled: bool, per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute);
        let limits = enabled.then(|| Limits {
            addresses: RateLimiter::keyed(quota),
            accounts: RateLimiter::keyed(quota),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
            checks: AtomicU64::new(0),
        });
        Self { limits, shared: None, per_minute }
    }

    /// Counts with other nodes, by this Redis.
    #[must_use]
    pub fn shared_by(mut self, redis: Redis) -> Self {
        self.shared = self.limits.is_some().then(|| SharedLimits::new(redis, self.per_minute));
        self
    }

    /// Counts a try from `address`, at `account` if one is named, at whichever node.
    ///
    /// # Errors
    /// How many seconds to wait, once there were too many.
    pub async fn admit(&self, address: IpAddr, account: Option<&str>) -> Result<(), u64> {
        let Some(shared) = &self.shared else { return self.check(address, account) };
        let account = account.map(login_key);
        match shared.admit(network(address), account.as_deref()).await {
            Ok(admitted) => {
                if admitted.is_ok() {
                    // This node's own memory, should it have to go on alone.
                    let _remembered = self.check(address, account.as_deref());
                }
                admitted
            }
            Err(error) => {
                tracing::debug!(%error, "a rate limit is counted by this node alone");
                counter!("rate_limit_fallbacks_total").increment(1);
                self.check(address, account.as_deref())
            }
        }
    }

    /// Counts a try from `address`, at `account` if one is named, at this node alone.
    ///
    /// # Errors
    /// As [`AuthLimits::admit`].
    pub fn check(&self, address: IpAddr, account: Option<&str>) -> Result<(), u64> {
        let Some(limits) = &self.limits else { return Ok(()) };
        limits.sweep();
        let wait = |until: governor::NotUntil<_>| until.wait_time_from(limits.clock.now()).as_secs() + 1;
        limits.addresses.check_key(&network(address)).map_err(wait)?;
        match account {
            Some(account) => limits.accounts.check_key(&limits.hasher.hash_one(login_key(account))).map_err(wait),
            None => Ok(()),
        }
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.limits.as_ref().map_or(0, |limits| limits.addresses.len() + limits.accounts.len())
    }
}

impl Limits {
    fn sweep(&self) {
        let check = self.checks.fetch_add(1, Ordering::Relaxed);
        let many = check.is_multiple_of(1_000) && self.addresses.len() + self.accounts.len() > KEYS_MANY;
        if many || (check > 0 && check.is_multiple_of(SWEEP_EVERY)) {
            self.addresses.retain_recent();
            self.addresses.shrink_to_fit();
            self.accounts.retain_recent();
            self.accounts.shrink_to_fit();
        }
    }
}

/// One customer of an IPv6 provider has at least a /64, which counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn the_fourth_try_of_three_waits_by_address_and_by_account() {
        let limits = AuthLimits::new(true, NonZeroU32::new(3).unwrap());
        for _ in 0..3 {
            assert_eq!(limits.check(address(1), None), Ok(()));
        }
        assert!(limits.check(address(1), None).is_err_and(|seconds| (1..=21).contains(&seconds)));
        for last in 2..5 {
            assert_eq!(limits.check(address(last), Some("A@b.cd")), Ok(()));
        }
        assert!(limits.check(address(5), Some("a@b.cd ")).is_err());
        assert_eq!(limits.check(address(6), Some("other@b.cd")), Ok(()));
        assert_eq!(limits.keys(), 8);
    }

    #[test]
    fn limits_that_are_off_limit_nothing() {
        let limits = AuthLimits::new(false, NonZeroU32::MIN);
        assert!((0..100).all(|_| limits.check(address(1), Some("a")).is_ok()));
        assert_eq!(limits.keys(), 0);
    }
}
