//! Keeps a connection: makes it, looks whether it still works, and makes the next one.
//!
//! It has a thread of its own, so that what the program's other threads are busy with never makes
//! Redis look late.
//!
//! **Invariant:** a connection that is given to others was just written to; one attempt is made at
//! a time, with growing pauses, and the address with its password is never shown.

use std::{io, sync::Arc, thread, time::Duration};

use ::redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Value, aio::MultiplexedConnection};
use futures_util::FutureExt;
use metrics::gauge;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{Live, RedisError, RedisSettings, Shared};

/// How long connecting, greeting and subscribing may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The shortest and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause between two rounds of wake-ups: what comes meanwhile is one round.
const WAKE_PAUSE: Duration = Duration::from_millis(25);
/// Calls that wait to be sent at once; one more waits within its deadline.
const CALLS_AHEAD: usize = 1_024;

pub(super) struct Keeper {
    client: Client,
    shared: Arc<Shared>,
    probe: String,
    timeout: Duration,
}

impl Keeper {
    pub(super) fn new(client: Client, shared: Arc<Shared>, settings: &RedisSettings) -> Self {
        Self { client, shared, probe: format!("{}probe", settings.prefix), timeout: settings.timeout }
    }

    /// Starts it; it ends when `stopped` has no sender any more.
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
        let mut pause = PAUSES.0;
        let mut told = false;
        gauge!("redis_up").set(0.0);
        for generation in 1.. {
            let connected = timeout(CONNECT_WITHIN, self.connect(generation)).await;
            match connected.map_err(|_| RedisError::Deadline).flatten() {
                Ok(connection) => {
                    let since = Instant::now();
                    tracing::info!("connected to Redis");
                    // That the last one broke was noticed otherwise: it says nothing of this one.
                    let _stale = self.shared.broke.notified().now_or_never();
                    *self.shared.live.write() = Some(Live { connection: connection.clone(), generation });
                    gauge!("redis_up").set(1.0);
                    self.shared.topics.connected(true);
                    let error = self.use_up(connection, generation).await;
                    self.shared.lost(generation);
                    gauge!("redis_up").set(0.0);
                    tracing::warn!(%error, "Redis is lost; nodes go on by themselves");
                    told = true;
                    if since.elapsed() >= PAUSES.1 {
                        pause = PAUSES.0;
                    }
                }
                Err(error) if told => tracing::debug!(%error, "Redis cannot be reached"),
                Err(error) => {
                    tracing::warn!(%error, "Redis cannot be reached; nodes go on by themselves");
                    told = true;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn connect(&self, generation: u64) -> Result<MultiplexedConnection, RedisError> {
        let shared = Arc::downgrade(&self.shared);
        let pushed = move |push: PushInfo| -> Result<(), ()> {
            let shared = shared.upgrade().ok_or(())?;
            match (push.kind, &push.data[..]) {
                (PushKind::Message, [_channel, Value::BulkString(payload)]) => shared.topics.heard(payload),
                (PushKind::Disconnection, _) => shared.lost(generation),
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
        connection.subscribe(self.shared.topics.channel()).await.map_err(refused)?;
        self.look(&mut connection).await?;
        Ok(connection)
    }

    /// Sends wake-ups and looks at the connection, until it is lost.
    async fn use_up(&self, mut connection: MultiplexedConnection, generation: u64) -> RedisError {
        let mut next = Instant::now();
        loop {
            let waiting = async {
                self.shared.topics.waiting().await;
                sleep_until(next).await;
            };
            let done = tokio::select! {
                // The word may be a late one about the connection before.
                () = self.shared.broke.notified() => match self.shared.is_live(generation) {
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

    /// Writes, for a Redis that is full or a replica by now does not do what is asked of it.
    async fn look(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let mut probe = ::redis::cmd("SET");
        probe.arg(&self.probe).arg(1).arg("PX").arg(10_000);
        self.within(probe.query_async(connection)).await
    }

    async fn publish(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let topics = &self.shared.topics;
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
