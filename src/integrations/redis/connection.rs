//! Maintains one connection to Redis: connects, checks the connection, and reconnects when it is lost.
//!
//! It runs on its own thread, so that a busy program does not make Redis look slow.
//! Commands on a `ConnectionManager` wait while it reconnects (ADR 13).
//!
//! **Invariant:** a connection is shared only after a successful test write; connection attempts are made one at a
//! time with backoff, and the address with its password is never logged.

use std::{io, sync::Arc, thread, time::Duration};

use ::redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Value, aio::MultiplexedConnection};
use futures_util::FutureExt;
use growing_backoff::Backoff;
use metrics::gauge;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{ConnectionState, Live, RedisError, RedisSettings};

/// How long connecting, greeting and subscribing may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The pauses between two attempts.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// A connection that lived this long makes the next pause the first one again.
const LASTING: Duration = Duration::from_secs(5);
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause between two publishes: notifications that arrive meanwhile are published together.
const WAKE_PAUSE: Duration = Duration::from_millis(25);
/// Calls that may be queued on the connection; further calls wait within their deadline.
const CALLS_AHEAD: usize = 1_024;

pub(super) struct ConnectionTask {
    client: Client,
    state: Arc<ConnectionState>,
    probe: String,
    timeout: Duration,
}

impl ConnectionTask {
    pub(super) fn new(client: Client, state: Arc<ConnectionState>, settings: &RedisSettings) -> Self {
        Self { client, state, probe: format!("{}probe", settings.prefix), timeout: settings.timeout }
    }

    /// Starts the thread; it ends when the sender of `stopped` is dropped.
    pub(super) fn spawn(self, mut stopped: watch::Receiver<()>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let keep = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = self.keep() => {}
                    _gone = stopped.changed() => {}
                }
            });
        };
        thread::Builder::new().name("redis".to_owned()).spawn(keep).map(|_detached| ())
    }

    async fn keep(self) {
        let mut failures: u32 = 0;
        let mut reported = false;
        gauge!("redis_up").set(0.0);
        for generation in 1.. {
            let connected = timeout(CONNECT_WITHIN, self.connect(generation)).await;
            match connected.map_err(|_| RedisError::Deadline).flatten() {
                Ok(connection) => {
                    let since = Instant::now();
                    tracing::info!("connected to Redis");
                    // A stale signal about the previous connection says nothing about this one.
                    let _stale = self.state.broke.notified().now_or_never();
                    *self.state.live.write() = Some(Live { connection: connection.clone(), generation });
                    gauge!("redis_up").set(1.0);
                    self.state.topics.connected(true);
                    let error = self.use_up(connection, generation).await;
                    self.state.lost(generation);
                    gauge!("redis_up").set(0.0);
                    tracing::warn!(%error, "lost the connection to Redis; each node continues without it");
                    reported = true;
                    if since.elapsed() >= LASTING {
                        failures = 0;
                    }
                }
                Err(error) if reported => tracing::debug!(%error, "Redis cannot be reached"),
                Err(error) => {
                    tracing::warn!(%error, "Redis cannot be reached; each node continues without it");
                    reported = true;
                }
            }
            failures = failures.saturating_add(1);
            sleep(PAUSES.after(failures)).await;
        }
    }

    async fn connect(&self, generation: u64) -> Result<MultiplexedConnection, RedisError> {
        let state = Arc::downgrade(&self.state);
        let pushed = move |push: PushInfo| -> Result<(), ()> {
            let state = state.upgrade().ok_or(())?;
            match (push.kind, &push.data[..]) {
                (PushKind::Message, [_channel, Value::BulkString(payload)]) => state.topics.received(payload),
                (PushKind::Disconnection, _) => state.lost(generation),
                _ => {}
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(CALLS_AHEAD)
            .set_push_sender(pushed);
        let refused = |error: ::redis::RedisError| RedisError::Refused(error.to_string());
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(refused)?;
        connection.subscribe(self.state.topics.channel()).await.map_err(refused)?;
        self.look(&mut connection).await?;
        Ok(connection)
    }

    /// Publishes notifications and checks the connection until it is lost.
    async fn use_up(&self, mut connection: MultiplexedConnection, generation: u64) -> RedisError {
        let mut next = Instant::now();
        loop {
            let waiting = async {
                self.state.topics.waiting().await;
                sleep_until(next).await;
            };
            let done = tokio::select! {
                // The signal may be a late one about the previous connection.
                () = self.state.broke.notified() => match self.state.is_live(generation) {
                    true => Ok(()),
                    false => Err(RedisError::Away),
                },
                () = waiting => {
                    next = Instant::now() + WAKE_PAUSE;
                    self.publish(&mut connection).await
                }
                () = sleep(LOOK_EVERY) => self.look(&mut connection).await,
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    /// Checks with a write, because a Redis that is full or has become a replica still answers reads.
    async fn look(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let mut probe = ::redis::cmd("SET");
        probe.arg(&self.probe).arg(1).arg("PX").arg(10_000);
        self.within(probe.query_async(connection)).await
    }

    async fn publish(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let topics = &self.state.topics;
        let names = topics.outgoing();
        if names.is_empty() {
            return Ok(());
        }
        let mut commands = ::redis::pipe();
        for name in &names {
            commands.cmd("PUBLISH").arg(topics.channel()).arg(topics.payload(name)).ignore();
        }
        let published = self.within(commands.query_async(connection)).await;
        if published.is_err() {
            topics.put_back(names);
        }
        published
    }

    async fn within(&self, call: impl Future<Output = ::redis::RedisResult<()>>) -> Result<(), RedisError> {
        let answer = timeout(self.timeout, call).await.map_err(|_| RedisError::Deadline)?;
        answer.map_err(|error| RedisError::Refused(error.to_string()))
    }
}
