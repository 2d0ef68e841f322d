//! Rate limits for logins and registrations: for each address and for each account.
//!
//! Whoever comes from where an account was logged in to before, by address or by a cookie of the browser, has an
//! allowance of their own beside these: others who fail lock nobody out.
//!
//! With Redis the attempts at all nodes are counted there, exactly; while Redis is unavailable each node counts by
//! itself, continuing from the attempts that it has accepted.
//!
//! **Invariant:** memory is bounded: keys whose allowance is full again are removed, at the latest when there are
//! many.

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
use moka::sync::Cache;

use self::redis_limits::RedisLimits;
use crate::{actors::accounts::calls::Source, domain::identity::login_key, integrations::redis::Redis};

mod redis_limits;
pub mod work;

/// From this many keys on, idle keys are removed at each thousandth check.
const KEYS_MANY: usize = 100_000;
/// Idle keys are removed at least once in this many checks.
const SWEEP_EVERY: u64 = 10_000;
/// How many places of logins are remembered; those that are not used make room.
const KNOWN_MAX: u64 = 100_000;

/// The limits on logging in and registering.
pub struct AuthLimits {
    limits: Option<Limits>,
    /// The address and account of logins that succeeded; hashes of them.
    known: Cache<u64, ()>,
    hasher: RandomState,
    redis: Option<RedisLimits>,
    per_minute: NonZeroU32,
}

struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<u64>,
    /// By device or address, each with its account.
    known: DefaultKeyedRateLimiter<u64>,
    clock: DefaultClock,
    checks: AtomicU64,
}

impl AuthLimits {
    /// `per_minute` attempts, all at once or spread, for each address and for each account; no limit when not
    /// enabled.
    #[must_use]
    pub fn new(enabled: bool, per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute);
        let limits = enabled.then(|| Limits {
            addresses: RateLimiter::keyed(quota),
            accounts: RateLimiter::keyed(quota),
            known: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            checks: AtomicU64::new(0),
        });
        Self { limits, known: Cache::new(KNOWN_MAX), hasher: RandomState::new(), redis: None, per_minute }
    }

    /// Counts together with other nodes, in Redis.
    #[must_use]
    pub fn with_redis(mut self, redis: Redis) -> Self {
        self.redis = self.limits.is_some().then(|| RedisLimits::new(redis, self.per_minute));
        self
    }

    /// Counts an attempt to log in at `account` from `address`, by a browser whose cookie names `device` if this account
    /// was logged in to there. Returns where it comes from.
    ///
    /// # Errors
    ///
    /// How many seconds to wait, when there were too many attempts.
    pub async fn admit_login(&self, address: IpAddr, account: &str, device: Option<&str>) -> Result<Source, u64> {
        let account = login_key(account);
        let place = self.place(address, &account);
        let known = match device {
            Some(device) => Some(self.hasher.hash_one((device, &account))),
            None => self.known.contains_key(&place).then_some(place),
        };
        let source = match known {
            Some(flow) => Source { flow, known: true },
            None => Source { flow: self.hasher.hash_one(network(address)), known: false },
        };
        match (self.admit(address, Some(&account)).await, known, &self.limits) {
            (Err(_), Some(known), Some(limits)) => {
                limits.known.check_key(&known).map_err(|until| limits.wait(&until))?;
            }
            (admitted, ..) => admitted?,
        }
        Ok(source)
    }

    /// Remembers that somebody has logged in at `account` from `address`.
    pub fn remember(&self, address: IpAddr, account: &str) {
        self.known.insert(self.place(address, &login_key(account)), ());
    }

    fn place(&self, address: IpAddr, account: &str) -> u64 {
        self.hasher.hash_one((network(address), account))
    }

    /// Counts an attempt from `address`, and at `account` if one is named, at all nodes.
    ///
    /// # Errors
    ///
    /// How many seconds to wait, when there were too many attempts.
    pub async fn admit(&self, address: IpAddr, account: Option<&str>) -> Result<(), u64> {
        let Some(redis) = &self.redis else { return self.check(address, account) };
        let account = account.map(login_key);
        match redis.admit(network(address), account.as_deref()).await {
            Ok(admitted) => {
                if admitted.is_ok() {
                    // This node's own count, for when Redis becomes unavailable.
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

    /// Counts an attempt from `address`, and at `account` if one is named, at this node only.
    ///
    /// # Errors
    /// As [`AuthLimits::admit`].
    pub fn check(&self, address: IpAddr, account: Option<&str>) -> Result<(), u64> {
        let Some(limits) = &self.limits else { return Ok(()) };
        limits.sweep();
        limits.addresses.check_key(&network(address)).map_err(|until| limits.wait(&until))?;
        match account {
            Some(account) => {
                let account = self.hasher.hash_one(login_key(account));
                limits.accounts.check_key(&account).map_err(|until| limits.wait(&until))
            }
            None => Ok(()),
        }
    }

    #[must_use]
    pub fn keys(&self) -> usize {
        self.limits.as_ref().map_or(0, Limits::keys)
    }
}

impl Limits {
    fn keys(&self) -> usize {
        self.addresses.len() + self.accounts.len() + self.known.len()
    }

    /// The seconds until there is an allowance again.
    fn wait(&self, until: &governor::NotUntil<<DefaultClock as Clock>::Instant>) -> u64 {
        until.wait_time_from(self.clock.now()).as_secs() + 1
    }

    fn sweep(&self) {
        let check = self.checks.fetch_add(1, Ordering::Relaxed);
        let many = check.is_multiple_of(1_000) && self.keys() > KEYS_MANY;
        if many || (check > 0 && check.is_multiple_of(SWEEP_EVERY)) {
            self.addresses.retain_recent();
            self.addresses.shrink_to_fit();
            self.accounts.retain_recent();
            self.accounts.shrink_to_fit();
            self.known.retain_recent();
            self.known.shrink_to_fit();
        }
    }
}

/// A customer of an IPv6 provider has at least a /64, which counts as one address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
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
    fn the_fourth_attempt_of_three_waits_by_address_and_by_account() {
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

    #[tokio::test]
    async fn who_comes_from_where_they_came_before_is_not_locked_out_by_others() {
        let limits = AuthLimits::new(true, NonZeroU32::new(3).unwrap());
        let admit = async |last, device| limits.admit_login(address(last), "a@b.cd", device).await;
        assert!(!admit(1, None).await.unwrap().known);
        limits.remember(address(1), "A@b.cd ");
        assert!(admit(1, None).await.unwrap().known);
        while admit(2, None).await.is_ok() {}
        assert!(admit(3, None).await.is_err(), "the account has had too many attempts");
        let (here, device) = (admit(1, None).await.unwrap(), admit(2, Some("laptop")).await.unwrap());
        assert!(here.known && device.known && here.flow != device.flow);
        while admit(1, None).await.is_ok() {}
        assert!(admit(1, Some("laptop")).await.is_ok(), "somebody else behind the same address");
        while limits.admit_login(address(1), "other@b.cd", None).await.is_ok() {}
        assert!(admit(1, Some("laptop")).await.is_ok(), "somebody else at another account");
    }

    #[test]
    fn disabled_limits_accept_everything() {
        let limits = AuthLimits::new(false, NonZeroU32::MIN);
        assert!((0..100).all(|_| limits.check(address(1), Some("a")).is_ok()));
        assert_eq!(limits.keys(), 0);
    }
}
