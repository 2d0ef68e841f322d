//! Dead tokens of all nodes: the store is their truth, Redis a fast copy.
//!
//! The copy is one sorted set, so that it is lost whole or not at all, whether Redis is emptied,
//! restarted or short of memory. Its member `complete` says up to when (by Redis's clock) the store's dead
//! tokens are in it. Every node adds what the store got since, several times a second, and then makes
//! the copy `fresh` for [`FRESH`] from the moment before it asked the store. So an answer of a
//! fresh copy misses no token that died longer than that ago, and a node that
//! ends a token and cannot tell Redis waits as long before it answers.
//!
//! A check reads token, mark and freshness in one round trip. If anything is missing, or this node has
//! not brought this very connection into step, the store is asked.
//!
//! **Invariant:** a token whose logout was answered is dead on every node, whatever became of Redis.

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
    store::{AccountStore, StoreError, accounts::block_key},
};

const SCRIPT: &str = include_str!("dead.lua");
/// How long the copy is fresh after it was brought into step.
const FRESH: Duration = Duration::from_secs(2);
/// How long a token that Redis was not told of may pass for alive elsewhere: a little more.
const UNTOLD: Duration = Duration::from_millis(2_200);
/// How often the copy is brought into step, and how soon at the earliest when something is missing.
const STEPS: (Duration, Duration) = (Duration::from_millis(600), Duration::from_millis(100));
/// How far the clocks of nodes, store and Redis may be apart, in seconds.
const CLOCKS_APART: i64 = 30;
/// How long the store may take to say whether a token is dead, and to list them.
const STORE_WITHIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How long a user who was not blocked passes for such, and of how many users that is remembered.
const BLOCKED_FOR: Duration = Duration::from_secs(2);
const USERS: u64 = 50_000;
/// Tokens in one message to Redis.
const AT_ONCE: usize = 500;
/// The mark of a set that has all dead tokens.
const COMPLETE: &str = "complete";

/// Dead tokens where nodes share a store.
pub(super) struct SharedDead {
    store: AccountStore,
    copy: Option<FastCopy>,
    /// Whether a user is blocked, as the store had it a moment ago.
    blocked: moka::sync::Cache<String, bool>,
}

struct FastCopy {
    redis: Redis,
    set: String,
    fresh: String,
    /// The connection that this node has brought into step; 0 for none.
    in_step: AtomicU64,
    missing: Notify,
}

/// Why the copy is not in step.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the copy was lost meanwhile")]
    Lost,
}

/// A token in the set; marks begin otherwise.
fn member(jti: &str) -> String {
    format!("t{jti}")
}

impl SharedDead {
    pub(super) fn start(store: AccountStore, redis: Option<Redis>) -> Arc<Self> {
        let copy = redis.map(|redis| FastCopy {
            set: redis.key("dead"),
            fresh: redis.key("dead:fresh"),
            redis,
            in_step: AtomicU64::new(0),
            missing: Notify::new(),
        });
        let shared = Arc::new(Self { store, copy, blocked: remembered() });
        if shared.copy.is_some() {
            tokio::spawn(keep_in_step(Arc::downgrade(&shared)));
        }
        shared
    }

    /// Tells the other nodes of a token that is in the store as dead.
    pub(super) async fn spread(&self, jti: &str, exp: i64) {
        let Some(copy) = &self.copy else { return };
        let mut commands = redis::pipe();
        commands.cmd("ZADD").arg(&copy.set).arg("GT").arg(exp).arg(member(jti)).ignore();
        if let Err(error) = copy.redis.send::<()>(&commands).await {
            tracing::debug!(%error, "Redis is not told of a logout, which waits until no node can miss it");
            sleep(UNTOLD).await;
        }
    }

    pub(super) async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        if let Some(copy) = &self.copy
            && let Some(dead) = copy.is_dead(jti).await
        {
            return Ok(dead);
        }
        counter!("dead_token_store_reads_total").increment(1);
        timeout(STORE_WITHIN.0, self.store.is_dead(jti)).await.unwrap_or(Err(StoreError::Deadline))
    }

    /// Whether a user is blocked, as the store had it [`BLOCKED_FOR`] ago at most.
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

    /// Asks the store about a user at the next look.
    pub(super) fn look_again(&self, user: &str) {
        self.blocked.invalidate(user);
    }

    /// Adds to the copy what the store has since it was in step, or all if it has none.
    async fn step(&self, copy: &FastCopy) -> Result<(), StepError> {
        let session = copy.redis.session()?;
        let mut commands = redis::pipe();
        commands.cmd("TIME").cmd("ZSCORE").arg(&copy.set).arg(COMPLETE);
        let ((seconds, micros), complete): ((u64, u64), Option<f64>) = session.send(&commands).await?;
        let time = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let (mark, tokens) = match complete {
            Some(at) => {
                let since = Timestamp::from_second(whole(at).saturating_sub(CLOCKS_APART)).unwrap_or_default();
                (COMPLETE.to_owned(), list(self.store.killed_since(since)).await?)
            }
            None => {
                // Lost with the set, which must not be taken for complete then.
                let mark = format!("filling:{}", hex::encode(rand::random::<[u8; 8]>()));
                let mut commands = redis::pipe();
                commands.cmd("ZADD").arg(&copy.set).arg(seconds).arg(&mark).ignore();
                session.send::<()>(&commands).await?;
                (mark, list(self.store.dead_tokens(Timestamp::now())).await?)
            }
        };
        copy.add(&session, &mark, &tokens, time).await?;
        copy.in_step.store(session.generation(), Ordering::SeqCst);
        if complete.is_none() {
            tracing::info!(tokens = tokens.len(), "Redis has the dead tokens again");
        }
        Ok(())
    }
}

impl FastCopy {
    /// Whether a token is dead, if the copy can tell.
    async fn is_dead(&self, jti: &str) -> Option<bool> {
        let session = self.redis.session().ok()?;
        let mut commands = redis::pipe();
        // Freshness is read first: what a fresh copy has is there when it is read next.
        commands.cmd("EXISTS").arg(&self.fresh).cmd("ZMSCORE").arg(&self.set).arg(member(jti)).arg(COMPLETE);
        let (fresh, (dead, complete)): (bool, (Option<f64>, Option<f64>)) = session.send(&commands).await.ok()?;
        if dead.is_some() {
            return Some(true);
        }
        if complete.is_none() {
            self.missing.notify_one();
        }
        let in_step = self.in_step.load(Ordering::SeqCst) == session.generation();
        (fresh && complete.is_some() && in_step).then_some(false)
    }

    async fn add(
        &self,
        session: &Session,
        mark: &str,
        tokens: &[(String, Timestamp)],
        time: Duration,
    ) -> Result<(), StepError> {
        let fresh_until = u64::try_from((time + FRESH).as_millis()).unwrap_or(u64::MAX);
        let mut rest = tokens;
        loop {
            let (some, more) = rest.split_at(rest.len().min(AT_ONCE));
            let complete = if more.is_empty() { time.as_secs().to_string() } else { String::new() };
            let mut commands = redis::pipe();
            let command = commands.cmd("EVAL").arg(SCRIPT).arg(2).arg(&self.set).arg(&self.fresh);
            command.arg(mark).arg(complete).arg(fresh_until);
            for (jti, end) in some {
                command.arg(member(jti)).arg(end.as_second().saturating_add(1));
            }
            let (kept,): (bool,) = session.send(&commands).await?;
            if !kept {
                return Err(StepError::Lost);
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

/// Keeps the copy in step for as long as somebody wants it.
async fn keep_in_step(shared: Weak<SharedDead>) {
    while let Some(shared) = shared.upgrade() {
        let Some(copy) = &shared.copy else { return };
        if let Err(error) = shared.step(copy).await {
            tracing::debug!(%error, "the dead tokens in Redis are not in step; the store is asked");
        }
        // Held meanwhile, so this ends a moment after its owner does.
        sleep(STEPS.1).await;
        let _missing = timeout(STEPS.0 - STEPS.1, copy.missing.notified()).await;
    }
}

/// A score as the whole seconds that it was written as.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturates, and seconds are exact")]
fn whole(score: f64) -> i64 {
    score as i64
}
