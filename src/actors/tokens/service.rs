//! The token with which this process calls others.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{BadToken, Tokens};
use crate::domain::Timestamp;

/// How long a token is used: half of its lifetime, so that it does not expire in transit.
const USED_FOR: Duration = Duration::from_secs(30);

/// Issues service tokens and uses each for half a minute.
pub struct ServiceToken {
    tokens: Tokens,
    name: String,
    made: Mutex<Option<(Instant, String)>>,
}

impl ServiceToken {
    #[must_use]
    pub fn new(tokens: Tokens, name: impl Into<String>) -> Self {
        Self { tokens, name: name.into(), made: Mutex::new(None) }
    }

    /// The current token.
    ///
    /// # Errors
    /// [`BadToken`] when it cannot be signed.
    pub fn current(&self) -> Result<String, BadToken> {
        let (mut made, now) = (self.made.lock(), Instant::now());
        if let Some((since, token)) = &*made
            && now.duration_since(*since) < USED_FOR
        {
            return Ok(token.clone());
        }
        let token = self.tokens.issue_service(&self.name, Timestamp::now())?;
        *made = Some((now, token.clone()));
        Ok(token)
    }
}
