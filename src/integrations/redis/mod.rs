//! Redis: what nodes share for the moment, and could do without.
//!
//! Owns one connection with a thread of its own (`keeper`), calls with a short deadline
//! ([`Session`]) and wake-ups between nodes ([`Wake`]). What is kept there belongs to those who
//! keep it: `http::rate` and `actors::tokens`.
//!
//! When a call fails or is late, Redis counts as away until the keeper has reached it anew,
//! so that requests do not wait one after the other; whoever asks meanwhile is told at once.
//!
//! **Invariant:** nothing is true because Redis says so alone: it may be emptied or taken away at
//! any moment.

mod keeper;
mod wake;

use std::{sync::Arc, time::Duration};

use ::redis::{Client, FromRedisValue, IntoConnectionInfo, Pipeline, ProtocolVersion, aio::MultiplexedConnection};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

pub use self::wake::{Wake, topic};
use self::{keeper::Keeper, wake::Topics};

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user, password and database.
    pub url: SecretString,
    /// Begins each key and channel.
    pub prefix: String,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Why Redis did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// It is away, or was when this call was sent.
    #[error("Redis is away")]
    Away,
    /// It did not answer in time; it may have done it.
    #[error("Redis did not answer in time")]
    Deadline,
    /// It said no.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// It cannot be used with these settings at all.
    #[error("{0}")]
    Settings(String),
}

/// A Redis, as its users hold it. The connection ends with the last of them.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    prefix: String,
    timeout: Duration,
    /// When it is dropped the keeper ends.
    _stop: watch::Sender<()>,
}

/// What the keeper and the users have in common.
struct Shared {
    live: RwLock<Option<Live>>,
    broke: Notify,
    topics: Arc<Topics>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    generation: u64,
}

impl Shared {
    /// Takes a connection for lost, unless it is another one by now.
    fn lost(&self, generation: u64) {
        let mut live = self.live.write();
        if live.as_ref().is_some_and(|live| live.generation == generation) {
            *live = None;
            self.broke.notify_one();
            self.topics.connected(false);
        }
    }

    fn is_live(&self, generation: u64) -> bool {
        self.live.read().as_ref().is_some_and(|live| live.generation == generation)
    }
}

impl Redis {
    /// Starts to connect, for as long as it takes.
    ///
    /// # Errors
    /// [`RedisError::Settings`].
    pub fn start(settings: &RedisSettings) -> Result<Self, RedisError> {
        let wrong = |error: &dyn std::fmt::Display| RedisError::Settings(error.to_string());
        // One cryptography in the program; somebody else's choice stands.
        let _known = rustls::crypto::ring::default_provider().install_default();
        let info = settings.url.expose_secret().into_connection_info();
        let info = info.map_err(|_| RedisError::Settings("the address of Redis is not one".to_owned()))?;
        // The third protocol carries wake-ups on the connection of the calls.
        let spoken = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(spoken)).map_err(|error| wrong(&error))?;
        let topics = Arc::new(Topics::new(format!("{}wake", settings.prefix)));
        let shared = Arc::new(Shared { live: RwLock::new(None), broke: Notify::new(), topics });
        let (stop, stopped) = watch::channel(());
        let keeper = Keeper::new(client, Arc::clone(&shared), settings);
        keeper.spawn(stopped).map_err(|error| wrong(&error))?;
        Ok(Self(Arc::new(Inner { shared, prefix: settings.prefix.clone(), timeout: settings.timeout, _stop: stop })))
    }

    /// Whether it could be read and written a moment ago.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.shared.live.read().is_some()
    }

    /// A key of ours.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// The connection of now.
    ///
    /// # Errors
    /// [`RedisError::Away`].
    pub fn session(&self) -> Result<Session, RedisError> {
        let live = self.0.shared.live.read().clone().ok_or(RedisError::Away)?;
        Ok(Session { live, redis: self.clone() })
    }

    /// Sends commands in one round trip, on the connection of now.
    ///
    /// # Errors
    /// Those of [`Session::send`], or [`RedisError::Away`].
    pub async fn send<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, RedisError> {
        self.session()?.send(commands).await
    }

    /// Wake-ups between all that use the same prefix.
    #[must_use]
    pub fn wake(&self) -> Wake {
        Wake::new(Arc::clone(&self.0.shared.topics))
    }
}

/// One connection, for calls that belong together.
pub struct Session {
    live: Live,
    redis: Redis,
}

impl Session {
    /// Which connection it is: another number means that Redis may be another one, with less in
    /// it. Never 0.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.live.generation
    }

    /// Sends commands in one round trip.
    ///
    /// # Errors
    /// [`RedisError`]; after [`RedisError::Deadline`] and [`RedisError::Away`] it may have been done.
    pub async fn send<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, RedisError> {
        let mut connection = self.live.connection.clone();
        match timeout(self.redis.0.timeout, commands.query_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_unrecoverable_error() || error.is_io_error() => {
                self.redis.0.shared.lost(self.live.generation);
                Err(RedisError::Away)
            }
            Ok(Err(error)) => Err(RedisError::Refused(error.to_string())),
            Err(_) => {
                self.redis.0.shared.lost(self.live.generation);
                Err(RedisError::Deadline)
            }
        }
    }
}
