//! Redis, if it is used: without it the shop keeps working and reports that as degraded.

use anyhow::{Context, Result};

use crate::{
    config::RedisConfig,
    http::{
        ops::{Part, PartState},
        rate::AuthLimits,
        state::ReadinessSource,
    },
    integrations::redis::{ChangeNotifier, Redis, RedisSettings},
};

/// Starts connecting, if Redis is configured.
pub(super) fn start(config: &RedisConfig) -> Result<Option<Redis>> {
    let Some(url) = config.url.clone() else { return Ok(None) };
    let settings = RedisSettings { url, prefix: config.prefix.clone(), timeout: config.timeout };
    Redis::start(&settings).map(Some).context("redis.url cannot be used")
}

/// The notifier between nodes; without Redis it notifies only this node.
pub(super) fn notifier(config: &RedisConfig, redis: Option<&Redis>) -> ChangeNotifier {
    redis.map_or_else(ChangeNotifier::default, |redis| redis.notifier().looking_every(config.look_every))
}

/// Rate limits that are counted in Redis.
pub(super) fn limits(limits: AuthLimits, redis: Option<&Redis>) -> AuthLimits {
    match redis {
        Some(redis) => limits.with_redis(redis.clone()),
        None => limits,
    }
}

/// Readiness by `source`, with Redis as a further part.
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
