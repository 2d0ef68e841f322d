//! The mail server as a [`MailTransport`].

mod pool;
mod tls;
mod tokens;

use std::path::PathBuf;

use async_trait::async_trait;

pub(super) use self::pool::Pool;
use super::{
    Mail, MailError, MailTransport,
    compose::{Outgoing, Sender, one_line},
};
use crate::{config::MailServer, domain::ids::EventId};

/// Why mails cannot be sent at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The sender's address is invalid.
    #[error("email.from: {0}")]
    Sender(String),
    /// The certificate authorities cannot be read.
    #[error("smtp.ca_file: {} cannot be used: {}", .0.display(), .1)]
    CaFile(PathBuf, String),
    /// Encryption cannot be set up.
    #[error("connections to the mail server cannot be encrypted: {0}")]
    Tls(String),
}

/// Sends by SMTP.
pub struct SmtpClient {
    pool: Pool,
    sender: Sender,
}

impl SmtpClient {
    /// A client that sends as `from` through `server`. Recipients unsubscribe from announcements at `unsubscribe`, or
    /// by writing to the sender.
    pub fn try_new(server: &MailServer, from: &str, unsubscribe: Option<&str>) -> Result<Self, SetupError> {
        let sender = Sender::new(from, unsubscribe).map_err(SetupError::Sender)?;
        let pool = Pool::new(server, sender.domain())?;
        Ok(Self { pool, sender })
    }
}

#[async_trait]
impl MailTransport for SmtpClient {
    async fn send(&self, event: EventId, mail: &Mail) -> Result<(), MailError> {
        let mail = self.sender.compose(event, mail).map_err(MailError::Permanent)?;
        self.pool.send(&mail).await
    }

    fn is_up(&self) -> bool {
        self.pool.is_up()
    }

    fn is_pausing(&self) -> bool {
        self.pool.is_pausing()
    }
}
