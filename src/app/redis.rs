//! Redis, where one is used: without it the shop goes on, and says that it does.

use anyhow::{Context, Result};

use crate::{
    config::RedisConfig,
    http::{
        ops::{Part, PartState},
        rate::AuthLimits,
        state::ReadinessSource,
    },
    integrations::redis::{Redis, RedisSettings, Wake},
};

/// Starts to connect, if there is one to be used.
pub(super) fn start(config: &RedisConfig) -> Result<Option<Redis>> {
    let Some(url) = config.url.clone() else { return Ok(None) };
    let settings = RedisSettings { url, prefix: config.prefix.clone(), timeout: config.timeout };
    Redis::start(&settings).map(Some).context("redis.url cannot be used")
}

/// Wake-ups between nodes; without Redis within this one.
pub(super) fn wake(config: &RedisConfig, redis: Option<&Redis>) -> Wake {
    redis.map_or_else(Wake::default, |redis| redis.wake().looking_every(config.look_every))
}

/// The limits, counted there.
pub(super) fn limits(limits: AuthLimits, redis: Option<&Redis>) -> AuthLimits {
    match redis {
        Some(redis) => limits.with_redis(redis.clone()),
        None => limits,
    }
}

/// What `source` tells, with Redis as one part more.
pub(super) fn readiness(source: ReadinessSource, redis: Option<Redis>) -> ReadinessSource {
    let Some(redis) = redis else { return source };
    std::sync::Arc::new(move || {
        let up = redis.is_up();
        let detail = (!up).then(|| "each node counts rate limits by itself".to_owned());
        let state = if up { PartState::Up } else { PartState::Degraded };
        let mut report = source();
        report.parts.push(Part { name: "redis".to_owned(), state, detail });
        report
    })
}
