//! Connections to the mail server.
//!
//! lettre's own pool is not used, for three reasons. It bounds only idle connections. It reuses a connection whose
//! sending was cancelled half-way, so that the next mail would continue the previous one. And it starts tasks
//! wherever it is used or dropped, which panics outside of a runtime and ends with the actor's thread. Here a
//! connection belongs to the call that uses it, and cancelling the call closes it. An idle connection is used again
//! only on the runtime that opened it, because its socket is dead once that runtime has ended.
//!
//! **Invariant:** at most [`CONNECTIONS`] are open, each wait has a deadline, and a connection is reused only after
//! an accepted mail.

use std::time::Duration;

use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    extension::ClientId,
};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    runtime,
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{MailError, Outgoing, SetupError, one_line, tls, tokens::Tokens};
use crate::config::{MailLogin, MailServer, MailTls};

/// The most connections.
const CONNECTIONS: usize = 4;
/// The deadline of sending a mail, including waiting for a connection.
const SEND_WITHIN: Duration = Duration::from_secs(20);
/// The deadline of connecting, encrypting and logging in.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The deadline of checking an idle connection.
const PROBE_WITHIN: Duration = Duration::from_secs(3);
/// How long an idle connection is reused; servers close them after a few minutes.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// The pause after a refused login, because servers lock accounts.
const LOGIN_PAUSE: Duration = Duration::from_secs(5);
/// The shortest pause after a failed attempt to connect.
const AWAY_PAUSE: Duration = Duration::from_millis(200);
/// How much of a server's answer is repeated, in characters.
const SAID_MAX: usize = 300;

/// Opens connections and keeps the idle ones.
pub(in crate::integrations::mail) struct Pool {
    server: MailServer,
    tls: Option<TlsParameters>,
    tokens: Option<Tokens>,
    hello: ClientId,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// Until when not to connect, and why.
    failure: Mutex<Option<(Instant, String)>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    runtime: runtime::Id,
    since: Instant,
}

/// Why there is no connection.
enum ConnectError {
    /// The server is unavailable, or says so.
    Away(String),
    /// The server refuses the login.
    Login(String),
}

impl Pool {
    pub(in crate::integrations::mail) fn new(server: &MailServer, hello: &str) -> Result<Self, SetupError> {
        let tokens = match &server.login {
            Some(MailLogin::Token(_, source)) => {
                Some(Tokens::new(source.clone()).map_err(|error| SetupError::Tls(error.to_string()))?)
            }
            _ => None,
        };
        Ok(Self {
            tls: tls::parameters(server)?,
            server: server.clone(),
            tokens,
            hello: ClientId::Domain(hello.to_owned()),
            permits: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
            failure: Mutex::default(),
        })
    }

    /// Whether the last attempt to connect succeeded, or none was made.
    pub(in crate::integrations::mail) fn is_up(&self) -> bool {
        self.failure.lock().is_none()
    }

    /// Whether connecting is paused for the moment.
    pub(in crate::integrations::mail) fn is_pausing(&self) -> bool {
        self.failure.lock().as_ref().is_some_and(|(until, _)| Instant::now() < *until)
    }

    /// Sends a mail.
    pub(in crate::integrations::mail) async fn send(&self, mail: &Outgoing) -> Result<(), MailError> {
        let late = || Err(MailError::Temporary("the mail server did not answer in time".to_owned()));
        timeout(SEND_WITHIN, self.send_patiently(mail)).await.unwrap_or_else(|_| late())
    }

    async fn send_patiently(&self, mail: &Outgoing) -> Result<(), MailError> {
        let closed = |_| MailError::Temporary("no mails are sent any more".to_owned());
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let mut connection = self.connection().await?;
        match connection.send(&mail.envelope, &mail.bytes).await {
            Ok(_taken) => {
                *self.failure.lock() = None;
                let runtime = runtime::Handle::current().id();
                self.idle.lock().push(Idle { connection, runtime, since: Instant::now() });
                Ok(())
            }
            Err(error) => Err(self.judged(&error, mail)),
        }
    }

    /// The outcome of a mail by the server's answer.
    fn judged(&self, error: &SmtpError, mail: &Outgoing) -> MailError {
        let said = self.said(error, None);
        // The reason is logged without the address, which is in the mail's record.
        let said = mail.envelope.to().iter().fold(said, |said, to| said.replace(&to.to_string(), "(address)"));
        let status = error.status().map(u16::from);
        match status {
            // The server requires a login, a stronger one, or encryption: the mail itself is fine.
            Some(530 | 534 | 535 | 538) => {
                self.tell_operator(&said);
                MailError::Temporary(said)
            }
            Some(500..=599) => MailError::Permanent(said),
            // The server does not support internationalised addresses.
            None if error.is_client() => MailError::Permanent(said),
            _ => MailError::Temporary(said),
        }
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, MailError> {
        while let Some(mut connection) = self.take_idle() {
            if matches!(timeout(PROBE_WITHIN, connection.test_connected()).await, Ok(true)) {
                return Ok(connection);
            }
        }
        if let Some((until, why)) = &*self.failure.lock()
            && Instant::now() < *until
        {
            return Err(MailError::Temporary(why.clone()));
        }
        let began = Instant::now();
        let late = || Err(ConnectError::Away("the mail server did not answer in time".to_owned()));
        let connected = timeout(CONNECT_WITHIN, self.connect()).await.unwrap_or_else(|_| late());
        let (pause, why) = match connected {
            Ok(connection) => {
                *self.failure.lock() = None;
                return Ok(connection);
            }
            // After a failed attempt the pause is at least as long as the attempt took, so that a server that accepts
            // connections without answering does not delay many mails.
            Err(ConnectError::Away(why)) => (began.elapsed().max(AWAY_PAUSE), why),
            Err(ConnectError::Login(why)) => {
                self.tell_operator(&why);
                (LOGIN_PAUSE, why)
            }
        };
        *self.failure.lock() = Some((Instant::now() + pause, why.clone()));
        Err(MailError::Temporary(why))
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let here = runtime::Handle::current().id();
        let mut idle = self.idle.lock();
        idle.retain(|one| one.since.elapsed() < IDLE_FOR && one.runtime == here);
        idle.pop().map(|one| one.connection)
    }

    /// Connects and logs in; a refused cached token is fetched again, once.
    async fn connect(&self) -> Result<AsyncSmtpConnection, ConnectError> {
        let login = match (&self.server.login, &self.tokens) {
            (None, _) => return self.open().await,
            (Some(MailLogin::Password(user, password)), _) => {
                return self.logged_in(&[Mechanism::Plain, Mechanism::Login], user, password).await;
            }
            (Some(MailLogin::Token(user, _)), Some(tokens)) => (user, tokens),
            (Some(MailLogin::Token(..)), None) => return Err(ConnectError::Login("there are no tokens".to_owned())),
        };
        let (user, tokens) = login;
        loop {
            let token = tokens.get().await.map_err(|error| ConnectError::Away(error.reason().to_owned()))?;
            match self.logged_in(&[Mechanism::Xoauth2], user, &token.secret).await {
                Err(ConnectError::Login(why)) => {
                    tokens.forget(&token.secret).await;
                    if !token.was_kept {
                        return Err(ConnectError::Login(why));
                    }
                }
                other => return other,
            }
        }
    }

    async fn logged_in(
        &self,
        mechanisms: &[Mechanism],
        user: &str,
        secret: &SecretString,
    ) -> Result<AsyncSmtpConnection, ConnectError> {
        let mut connection = self.open().await?;
        let credentials = Credentials::new(user.to_owned(), secret.expose_secret().to_owned());
        match connection.auth(mechanisms, &credentials).await {
            Ok(_welcome) => Ok(connection),
            // A client error counts as well: lettre reports a refused XOAUTH2, which starts with a challenge, as one.
            Err(error) if error.is_permanent() || error.is_client() => {
                let said = self.said(&error, Some(secret));
                Err(ConnectError::Login(format!("the mail server refuses the login: {said}")))
            }
            Err(error) => Err(ConnectError::Away(self.said(&error, Some(secret)))),
        }
    }

    /// A connection, encrypted if required.
    async fn open(&self) -> Result<AsyncSmtpConnection, ConnectError> {
        let away = |error: SmtpError| ConnectError::Away(self.said(&error, None));
        let address = (self.server.host.as_str(), self.server.port);
        let wrapper = self.tls.clone().filter(|_| self.server.tls == MailTls::Implicit);
        let connected =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_WITHIN), &self.hello, wrapper, None).await;
        let mut connection = connected.map_err(away)?;
        let upgrade = match self.server.tls {
            MailTls::None | MailTls::Implicit => false,
            MailTls::Opportunistic => connection.can_starttls(),
            MailTls::Required => true,
        };
        if upgrade && let Some(tls) = &self.tls {
            connection.starttls(tls.clone(), &self.hello).await.map_err(away)?;
        }
        Ok(connection)
    }

    fn tell_operator(&self, why: &str) {
        tracing::error!(mail.host = %self.server.host, %why, "the mail server refuses the login; check smtp.url and the email keys");
    }

    /// The server's error message: one line, bounded, and without secrets.
    fn said(&self, error: &SmtpError, secret: Option<&SecretString>) -> String {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let text = match (error.status(), cause) {
            (Some(code), cause) => format!("{code} {}", cause.unwrap_or_default()),
            (None, Some(cause)) if error.is_client() => cause,
            (None, _) => error.to_string(),
        };
        let mut text = one_line(text.trim());
        let known = match &self.server.login {
            Some(MailLogin::Password(_, password)) => Some(password),
            _ => None,
        };
        for secret in known.into_iter().chain(secret) {
            text = text.replace(secret.expose_secret(), "(hidden)");
        }
        text.chars().take(SAID_MAX).collect()
    }
}
