//! Revoked tokens of all nodes: the store is authoritative, Redis holds a fast copy.
//!
//! The copy is one sorted set, so that it is lost as a whole or not at all when Redis is emptied,
//! restarted or short of memory. The score of its member `complete` is the time (by Redis's clock) up to which the
//! store's revoked tokens are in it. Every node adds the tokens revoked since then, several times a second, and then
//! marks the copy as fresh for [`FRESH`], counted from the moment before it read the store. So a
//! fresh copy misses no token that was revoked longer ago than that, and a node that
//! revokes a token and cannot reach Redis waits for that time before it answers.
//!
//! A check reads the token, the mark and the freshness in one round trip. If anything is missing, or this node has
//! not synchronized over the current connection, the store is read.
//!
//! **Invariant:** a token whose logout was answered is revoked on every node, whatever happens to Redis.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::counter;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    domain::Timestamp,
    integrations::redis::{Redis, RedisError, Session},
    store::{
        AccountStore, StoreError,
        accounts::{ENDED_PREFIX, block_key, ended_before, ended_expiry, ended_key},
    },
};

const SCRIPT: &str = include_str!("revoked.lua");
/// How long the copy is fresh after a synchronization.
const FRESH: Duration = Duration::from_secs(2);
/// How long another node may still accept a token whose revocation did not reach Redis: slightly longer.
const UNREPORTED_DELAY: Duration = Duration::from_millis(2_200);
/// The interval of synchronizations, and the shortest interval when the copy is missing.
const SYNC_INTERVALS: (Duration, Duration) = (Duration::from_millis(600), Duration::from_millis(100));
/// The largest clock difference between nodes, store and Redis, in seconds.
const CLOCKS_APART: i64 = 30;
/// Time limits for reading one token from the store, and for listing them.
const STORE_WITHIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How long the blocked status of a user is cached, and for how many users.
const BLOCKED_FOR: Duration = Duration::from_secs(2);
const USERS: u64 = 50_000;
/// How many tokens are sent to Redis in one message.
const AT_ONCE: usize = 500;
/// The member that marks a set as complete.
const COMPLETE: &str = "complete";

/// Revoked tokens where nodes share a store.
pub(super) struct RedisRevocations {
    store: AccountStore,
    copy: Option<RedisCopy>,
    /// Whether a user is blocked, as recently read from the store.
    blocked: moka::sync::Cache<String, bool>,
}

struct RedisCopy {
    redis: Redis,
    set: String,
    fresh: String,
    /// The generation of the connection over which this node has synchronized; 0 for none.
    synced: AtomicU64,
    missing: Notify,
}

/// What the nodes know about a token and its user.
pub(super) struct Found {
    pub(super) revoked: bool,
    /// From when on the user's tokens are valid, in seconds, if earlier ones were ended.
    pub(super) tokens_from: Option<i64>,
}

/// Why the copy is not synchronized.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the copy was lost in the meantime")]
    Lost,
}

/// The member of a token; marks have another prefix.
fn member(jti: &str) -> String {
    format!("t{jti}")
}

impl RedisRevocations {
    pub(super) fn start(store: AccountStore, redis: Option<Redis>) -> Arc<Self> {
        let copy = redis.map(|redis| RedisCopy {
            set: redis.key("dead"),
            fresh: redis.key("dead:fresh"),
            redis,
            synced: AtomicU64::new(0),
            missing: Notify::new(),
        });
        let shared = Arc::new(Self { store, copy, blocked: remembered() });
        if shared.copy.is_some() {
            tokio::spawn(keep_synced(Arc::downgrade(&shared)));
        }
        shared
    }

    /// Publishes a token to the other nodes; the store must have it as revoked.
    pub(super) async fn revoke(&self, jti: &str, exp: i64) {
        let Some(copy) = &self.copy else { return };
        let mut commands = redis::pipe();
        commands.cmd("ZADD").arg(&copy.set).arg("GT").arg(exp).arg(member(jti)).ignore();
        if let Err(error) = copy.redis.send::<()>(&commands).await {
            tracing::debug!(%error, "a logout could not be written to Redis and waits until no node accepts the token");
            sleep(UNREPORTED_DELAY).await;
        }
    }

    /// Publishes the end of a user's tokens to the other nodes, as [`RedisRevocations::revoke`].
    pub(super) async fn end_tokens(&self, user: &str, from: i64) {
        self.revoke(&ended_key(user), ended_expiry(from)).await;
    }

    pub(super) async fn look_up(&self, jti: &str, user: &str) -> Result<Found, StoreError> {
        if let Some(copy) = &self.copy
            && let Some(found) = copy.look_up(jti, user).await
        {
            return Ok(found);
        }
        counter!("dead_token_store_reads_total").increment(1);
        let asked = timeout(STORE_WITHIN.0, self.store.ended(jti, user));
        let (revoked, tokens_from) = asked.await.unwrap_or(Err(StoreError::Deadline))?;
        Ok(Found { revoked, tokens_from })
    }

    /// Whether a user is blocked, with a cache of at most [`BLOCKED_FOR`].
    pub(super) async fn is_blocked(&self, user: &str) -> Result<bool, StoreError> {
        if let Some(known) = self.blocked.get(user) {
            return Ok(known);
        }
        let key = block_key(user);
        let asked = self.store.is_dead(&key);
        let blocked = timeout(STORE_WITHIN.0, asked).await.unwrap_or(Err(StoreError::Deadline))?;
        self.blocked.insert(user.to_owned(), blocked);
        Ok(blocked)
    }

    /// Reads a user's status from the store at the next check.
    pub(super) fn recheck(&self, user: &str) {
        self.blocked.invalidate(user);
    }

    /// Adds the tokens to the copy that were revoked since the last synchronization, or all if the copy is missing.
    async fn sync(&self, copy: &RedisCopy) -> Result<(), SyncError> {
        let session = copy.redis.session()?;
        let mut commands = redis::pipe();
        commands.cmd("TIME").cmd("ZSCORE").arg(&copy.set).arg(COMPLETE);
        let ((seconds, micros), complete): ((u64, u64), Option<f64>) = session.send(&commands).await?;
        let time = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let (mark, tokens) = match complete {
            Some(at) => {
                let since = Timestamp::from_second(whole_seconds(at).saturating_sub(CLOCKS_APART)).unwrap_or_default();
                (COMPLETE.to_owned(), list(self.store.killed_since(since)).await?)
            }
            None => {
                // This member is lost together with the set, which then must not be marked as complete.
                let mark = format!("filling:{}", hex::encode(rand::random::<[u8; 8]>()));
                let mut commands = redis::pipe();
                commands.cmd("ZADD").arg(&copy.set).arg(seconds).arg(&mark).ignore();
                session.send::<()>(&commands).await?;
                (mark, list(self.store.dead_tokens(Timestamp::now())).await?)
            }
        };
        copy.add(&session, &mark, &tokens, time).await?;
        copy.synced.store(session.generation(), Ordering::SeqCst);
        if complete.is_none() {
            tracing::info!(tokens = tokens.len(), "the revoked tokens were copied to Redis");
        }
        Ok(())
    }
}

impl RedisCopy {
    /// What is known about a token and its user, if the copy can answer that.
    async fn look_up(&self, jti: &str, user: &str) -> Option<Found> {
        let session = self.redis.session().ok()?;
        let members = [member(jti), member(&ended_key(user)), COMPLETE.to_owned()];
        let mut commands = redis::pipe();
        // Freshness is read first: everything that a fresh copy contains is there when it is read next.
        commands.cmd("EXISTS").arg(&self.fresh).cmd("ZMSCORE").arg(&self.set).arg(&members);
        type Scores = (Option<f64>, Option<f64>, Option<f64>);
        let (fresh, (revoked, ended, complete)): (bool, Scores) = session.send(&commands).await.ok()?;
        let tokens_from = ended.map(|expiry| ended_before(whole_seconds(expiry)));
        if revoked.is_some() {
            return Some(Found { revoked: true, tokens_from });
        }
        if complete.is_none() {
            self.missing.notify_one();
        }
        let synced = self.synced.load(Ordering::SeqCst) == session.generation();
        (fresh && complete.is_some() && synced).then_some(Found { revoked: false, tokens_from })
    }

    async fn add(
        &self,
        session: &Session,
        mark: &str,
        tokens: &[(String, Timestamp)],
        time: Duration,
    ) -> Result<(), SyncError> {
        let fresh_until = u64::try_from((time + FRESH).as_millis()).unwrap_or(u64::MAX);
        let mut rest = tokens;
        loop {
            let (some, more) = rest.split_at(rest.len().min(AT_ONCE));
            let complete = if more.is_empty() { time.as_secs().to_string() } else { String::new() };
            let mut commands = redis::pipe();
            let command = commands.cmd("EVAL").arg(SCRIPT).arg(2).arg(&self.set).arg(&self.fresh);
            command.arg(mark).arg(complete).arg(fresh_until);
            for (jti, end) in some {
                // A token expires within the second; the end of a user's tokens is a whole second.
                let rounded = i64::from(!jti.starts_with(ENDED_PREFIX));
                command.arg(member(jti)).arg(end.as_second().saturating_add(rounded));
            }
            let (kept,): (bool,) = session.send(&commands).await?;
            if !kept {
                return Err(SyncError::Lost);
            }
            if more.is_empty() {
                return Ok(());
            }
            rest = more;
        }
    }
}

fn remembered() -> moka::sync::Cache<String, bool> {
    moka::sync::Cache::builder().max_capacity(USERS).time_to_live(BLOCKED_FOR).build()
}

async fn list<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(STORE_WITHIN.1, call).await.unwrap_or(Err(StoreError::Deadline))
}

/// Synchronizes the copy repeatedly, until the owner is dropped.
async fn keep_synced(shared: Weak<RedisRevocations>) {
    while let Some(shared) = shared.upgrade() {
        let Some(copy) = &shared.copy else { return };
        if let Err(error) = shared.sync(copy).await {
            tracing::debug!(%error, "the revoked tokens in Redis are not synchronized; the store is read instead");
        }
        // The reference is held while sleeping, so this ends shortly after its owner is dropped.
        sleep(SYNC_INTERVALS.1).await;
        let _missing = timeout(SYNC_INTERVALS.0 - SYNC_INTERVALS.1, copy.missing.notified()).await;
    }
}

/// Converts a score to whole seconds.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturates, and seconds are exact")]
fn whole_seconds(score: f64) -> i64 {
    score as i64
}
