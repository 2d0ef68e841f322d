//! Redis: short-lived state that nodes share and can work without.
//!
//! Owns one connection with a thread of its own (`connection`), calls with a short deadline ([`Session`]) and
//! notifications between nodes ([`ChangeNotifier`]). The stored data belongs to the modules that store it:
//! `http::rate` and `actors::tokens`.
//!
//! When a call fails or times out, Redis counts as unavailable until the connection task has reconnected. Calls made
//! meanwhile fail at once, so that requests do not wait one after another.
//!
//! **Invariant:** Redis is never the only copy of anything: it may be emptied or disappear at any moment.

mod connection;
mod notifier;

use std::{sync::Arc, time::Duration};

use ::redis::{Client, FromRedisValue, IntoConnectionInfo, Pipeline, ProtocolVersion, aio::MultiplexedConnection};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

pub use self::notifier::{ChangeNotifier, topic};
use self::{connection::ConnectionTask, notifier::Topics};

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user, password and database.
    pub url: SecretString,
    /// The prefix of every key and channel.
    pub prefix: String,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Why a call to Redis failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Redis is unavailable, or was when this call was sent.
    #[error("Redis is away")]
    Away,
    /// Redis did not answer in time; the call may have taken effect.
    #[error("Redis did not answer in time")]
    Deadline,
    /// Redis refused the command.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// The settings are invalid.
    #[error("{0}")]
    Settings(String),
}

/// A handle to Redis. The connection closes when the last clone is dropped.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    state: Arc<ConnectionState>,
    prefix: String,
    timeout: Duration,
    /// Dropping it ends the connection task.
    _stop: watch::Sender<()>,
}

/// The state shared by the connection task and the handles.
struct ConnectionState {
    live: RwLock<Option<Live>>,
    broke: Notify,
    topics: Arc<Topics>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    generation: u64,
}

impl ConnectionState {
    /// Marks a connection as lost, unless it has been replaced already.
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
    /// Starts connecting in the background and retries until it succeeds.
    ///
    /// # Errors
    /// [`RedisError::Settings`].
    pub fn start(settings: &RedisSettings) -> Result<Self, RedisError> {
        let wrong = |error: &dyn std::fmt::Display| RedisError::Settings(error.to_string());
        // The program uses one crypto provider; a provider that is installed already stays.
        let _known = rustls::crypto::ring::default_provider().install_default();
        let info = settings.url.expose_secret().into_connection_info();
        let info = info.map_err(|_| RedisError::Settings("the address of Redis is not one".to_owned()))?;
        // RESP3 delivers pushed messages on the same connection as the calls.
        let spoken = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(spoken)).map_err(|error| wrong(&error))?;
        let topics = Arc::new(Topics::new(format!("{}wake", settings.prefix)));
        let state = Arc::new(ConnectionState { live: RwLock::new(None), broke: Notify::new(), topics });
        let (stop, stopped) = watch::channel(());
        let connection = ConnectionTask::new(client, Arc::clone(&state), settings);
        connection.spawn(stopped).map_err(|error| wrong(&error))?;
        Ok(Self(Arc::new(Inner { state, prefix: settings.prefix.clone(), timeout: settings.timeout, _stop: stop })))
    }

    /// Whether the last check of the connection succeeded.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.state.live.read().is_some()
    }

    /// A key with this program's prefix.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// The current connection.
    ///
    /// # Errors
    /// [`RedisError::Away`].
    pub fn session(&self) -> Result<Session, RedisError> {
        let live = self.0.state.live.read().clone().ok_or(RedisError::Away)?;
        Ok(Session { live, redis: self.clone() })
    }

    /// Sends commands in one round trip, on the current connection.
    ///
    /// # Errors
    /// Those of [`Session::send`], or [`RedisError::Away`].
    pub async fn send<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, RedisError> {
        self.session()?.send(commands).await
    }

    /// Notifies all nodes that use the same prefix.
    #[must_use]
    pub fn notifier(&self) -> ChangeNotifier {
        ChangeNotifier::new(Arc::clone(&self.0.state.topics))
    }
}

/// One connection, for calls that must use the same one.
pub struct Session {
    live: Live,
    redis: Redis,
}

impl Session {
    /// The number of the connection, never 0. A different number means that this may be a different Redis, with less
    /// data.
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
                self.redis.0.state.lost(self.live.generation);
                Err(RedisError::Away)
            }
            Ok(Err(error)) => Err(RedisError::Refused(error.to_string())),
            Err(_) => {
                self.redis.0.state.lost(self.live.generation);
                Err(RedisError::Deadline)
            }
        }
    }
}
