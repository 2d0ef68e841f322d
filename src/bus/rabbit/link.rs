//! A connection that reconnects for as long as it takes.
//!
//! **Invariant:** one attempt to connect is made at a time, with backoff, however many callers wait, and the address
//! with its password is never shown.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use growing_backoff::Backoff;
use lapin::{Channel, Connection, ConnectionProperties, uri::AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{RabbitError, transport};

/// How long connecting and opening a channel may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The heartbeat interval in seconds.
const HEARTBEAT: u16 = 20;
/// The pauses between two attempts.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(15));

/// A connection to the broker, shared by callers with the same purpose.
pub struct Link {
    url: SecretString,
    purpose: &'static str,
    up: AtomicBool,
    state: Mutex<State>,
}

struct State {
    connection: Option<Connection>,
    failures: u32,
    next_try: Instant,
}

impl Link {
    /// A link that is not connected yet.
    #[must_use]
    pub fn new(url: SecretString, purpose: &'static str) -> Self {
        let state = State { connection: None, failures: 0, next_try: Instant::now() };
        Self { url, purpose, up: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Whether the last attempt succeeded and nothing has failed since.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Reports a failure, so that the next call for a channel checks the connection.
    pub fn broke(&self) {
        self.up.store(false, Ordering::Relaxed);
    }

    /// A new channel, on a new connection if the old one is lost. Waits for the pause that is due after a failed
    /// attempt.
    ///
    /// # Errors
    /// [`RabbitError::Away`] or `Deadline`.
    pub async fn channel(&self) -> Result<Channel, RabbitError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = state.connection.as_ref().filter(|connection| connection.status().connected())
            && let Ok(Ok(channel)) = timeout(CONNECT_WITHIN, connection.create_channel()).await
        {
            self.up.store(true, Ordering::Relaxed);
            return Ok(channel);
        }
        self.broke();
        state.connection = None;
        tokio::time::sleep_until(state.next_try).await;
        let opened = match timeout(CONNECT_WITHIN, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(RabbitError::Deadline),
        };
        match opened {
            Ok((connection, channel)) => {
                state.connection = Some(connection);
                state.failures = 0;
                state.next_try = Instant::now();
                self.up.store(true, Ordering::Relaxed);
                tracing::info!(purpose = self.purpose, "connected to the broker");
                Ok(channel)
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.next_try = Instant::now() + PAUSES.after(state.failures);
                tracing::warn!(purpose = self.purpose, %error, "the broker cannot be reached");
                Err(error)
            }
        }
    }

    /// A connection for this caller alone, in one attempt.
    ///
    /// # Errors
    /// [`RabbitError::Away`] or `Deadline`.
    pub(super) async fn connect_once(&self) -> Result<Connection, RabbitError> {
        let (connection, _channel) =
            timeout(CONNECT_WITHIN, self.open()).await.map_err(|_| RabbitError::Deadline)??;
        Ok(connection)
    }

    async fn open(&self) -> Result<(Connection, Channel), RabbitError> {
        let mut uri: AMQPUri = self.url.expose_secret().parse().map_err(RabbitError::Away)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let name = format!("microbazaar {}", self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = transport::connect(uri, properties).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    /// Closes the connection, with a close message to the broker if it is reachable.
    pub async fn close(&self) {
        let connection = self.state.lock().await.connection.take();
        self.broke();
        if let Some(connection) = connection {
            // Unacknowledged messages go to the next reader either way.
            let _said = timeout(Duration::from_secs(2), connection.close(200, "bye".into())).await;
        }
    }
}
