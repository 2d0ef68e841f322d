//! Rate limits counted in Redis, for all nodes together.
//!
//! The rule is that of the counters in this process: a number of attempts at once, restored evenly over a minute. The
//! time is Redis's own clock.
//!
//! **Invariant:** an attempt is one atomic script in one round trip; Redis holds no address and no account name, only
//! hashes, and every key expires.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use sha2::{Digest, Sha256};

use crate::integrations::redis::{Redis, RedisError};

const SCRIPT: &str = include_str!("gcra.lua");
const MINUTE: Duration = Duration::from_secs(60);
/// How many bytes of the hash are used.
const HASH_BYTES: usize = 16;

pub(super) struct RedisLimits {
    redis: Redis,
    every_micros: u64,
    burst: u32,
}

impl RedisLimits {
    pub(super) fn new(redis: Redis, per_minute: NonZeroU32) -> Self {
        let every = (MINUTE / per_minute.get()).as_micros();
        Self { redis, every_micros: u64::try_from(every).unwrap_or(u64::MAX).max(1), burst: per_minute.get() }
    }

    /// Counts an attempt; the inner error is how many seconds to wait.
    pub(super) async fn admit(&self, network: IpAddr, account: Option<&str>) -> Result<Result<(), u64>, RedisError> {
        let address = self.key("address", &network.to_string());
        let account = account.map(|account| self.key("account", account));
        let mut commands = redis::pipe();
        let command = commands.cmd("EVAL").arg(SCRIPT).arg(1 + usize::from(account.is_some()));
        command.arg(address).arg(account).arg(self.every_micros).arg(self.burst);
        let (wait,): (u64,) = self.redis.send(&commands).await?;
        Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait).as_secs() + 1) })
    }

    fn key(&self, what: &str, whose: &str) -> String {
        let hash = Sha256::digest(whose.as_bytes());
        self.redis.key(&format!("rate:{what}:{}", hex::encode(&hash[..HASH_BYTES])))
    }
}
