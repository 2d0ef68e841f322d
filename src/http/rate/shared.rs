//! Rate limits counted in Redis, for all nodes together.
//!
//! The rule is the one of the counters in this process: a number of tries at once, given back
//! evenly over a minute. Redis's own clock counts.
//!
//! **Invariant:** one try is one atomic script in one round trip; no address and no name of an
//! account stands in Redis, only hashes, and each key ends by itself.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use sha2::{Digest, Sha256};

use crate::integrations::redis::{Redis, RedisError};

const SCRIPT: &str = include_str!("gcra.lua");
const MINUTE: Duration = Duration::from_secs(60);
/// Bytes of a hash that tell keys apart.
const HASH_BYTES: usize = 16;

pub(super) struct SharedLimits {
    redis: Redis,
    every_micros: u64,
    burst: u32,
}

impl SharedLimits {
    pub(super) fn new(redis: Redis, per_minute: NonZeroU32) -> Self {
        let every = (MINUTE / per_minute.get()).as_micros();
        Self { redis, every_micros: u64::try_from(every).unwrap_or(u64::MAX).max(1), burst: per_minute.get() }
    }

    /// Counts a try; the inner error is how many seconds to wait.
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
