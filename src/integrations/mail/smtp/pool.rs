//! Connections to the mail server.
//!
//! lettre's own pool is not used, for three reasons. It bounds idle connections only. It
//! puts a connection back whose sending was given up half-way, so that the next mail would
//! continue the last one's. And it starts tasks wherever it is used or dropped, which
//! panics outside of a runtime and ends with the actor's thread. Here a connection belongs
//! to the call that uses it: giving up closes it. An idle one is used again only on the
//! runtime that opened it, since its socket is dead once that has ended.
//!
//! **Invariant:** at most [`CONNECTIONS`] are open, each wait has a deadline, and a
//! connection is put back only after a mail that was taken.

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

/// How many connections at once.
const CONNECTIONS: usize = 4;
/// From a mail to the server's word about it, waiting for a connection included.
const SEND_WITHIN: Duration = Duration::from_secs(20);
/// From nothing to a connection that is encrypted and logged in.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long an idle connection may take to show that it lives.
const PROBE_WITHIN: Duration = Duration::from_secs(3);
/// How long an idle connection is worth a try; servers end them after a few minutes.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// How long nobody tries to log in after a login was refused, since servers lock accounts.
const LOGIN_PAUSE: Duration = Duration::from_secs(5);
/// The least time that nobody tries to connect after a try failed.
const AWAY_PAUSE: Duration = Duration::from_millis(200);
/// The longest text of a server that is repeated, in characters.
const SAID_MAX: usize = 300;

/// Opens connections and keeps the idle ones.
pub(in crate::integrations::mail) struct Pool {
    server: MailServer,
    tls: Option<TlsParameters>,
    tokens: Option<Tokens>,
    hello: ClientId,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// Until when there is no use in connecting, and why.
    trouble: Mutex<Option<(Instant, String)>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    runtime: runtime::Id,
    since: Instant,
}

/// Why there is no connection.
enum Trouble {
    /// The server is away, or says so.
    Away(String),
    /// It does not let us in.
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
            trouble: Mutex::default(),
        })
    }

    /// Whether the last try to connect succeeded, or none was made.
    pub(in crate::integrations::mail) fn is_up(&self) -> bool {
        self.trouble.lock().is_none()
    }

    /// Whether nobody tries to connect for the moment.
    pub(in crate::integrations::mail) fn is_pausing(&self) -> bool {
        self.trouble.lock().as_ref().is_some_and(|(until, _)| Instant::now() < *until)
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
                *self.trouble.lock() = None;
                let runtime = runtime::Handle::current().id();
                self.idle.lock().push(Idle { connection, runtime, since: Instant::now() });
                Ok(())
            }
            Err(error) => Err(self.judged(&error, mail)),
        }
    }

    /// What the server's answer to a mail means.
    fn judged(&self, error: &SmtpError, mail: &Outgoing) -> MailError {
        let said = self.said(error, None);
        // The reason is logged as well, where no address belongs; the mail's record has it.
        let said = mail.envelope.to().iter().fold(said, |said, to| said.replace(&to.to_string(), "(address)"));
        let status = error.status().map(u16::from);
        match status {
            // It wants a login, a better one, or encryption: nothing is wrong with the mail.
            Some(530 | 534 | 535 | 538) => {
                self.tell_operator(&said);
                MailError::Temporary(said)
            }
            Some(500..=599) => MailError::Permanent(said),
            // The server cannot take an address with letters of other scripts.
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
        if let Some((until, why)) = &*self.trouble.lock()
            && Instant::now() < *until
        {
            return Err(MailError::Temporary(why.clone()));
        }
        let began = Instant::now();
        let late = || Err(Trouble::Away("the mail server did not answer in time".to_owned()));
        let connected = timeout(CONNECT_WITHIN, self.connect()).await.unwrap_or_else(|_| late());
        let (pause, why) = match connected {
            Ok(connection) => {
                *self.trouble.lock() = None;
                return Ok(connection);
            }
            // A failed try is not made again for as long as it took, so that a server
            // which swallows connections holds up no long row of mails.
            Err(Trouble::Away(why)) => (began.elapsed().max(AWAY_PAUSE), why),
            Err(Trouble::Login(why)) => {
                self.tell_operator(&why);
                (LOGIN_PAUSE, why)
            }
        };
        *self.trouble.lock() = Some((Instant::now() + pause, why.clone()));
        Err(MailError::Temporary(why))
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let here = runtime::Handle::current().id();
        let mut idle = self.idle.lock();
        idle.retain(|one| one.since.elapsed() < IDLE_FOR && one.runtime == here);
        idle.pop().map(|one| one.connection)
    }

    /// Connects and logs in; a token that was kept and is refused is fetched anew, once.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let login = match (&self.server.login, &self.tokens) {
            (None, _) => return self.open().await,
            (Some(MailLogin::Password(user, password)), _) => {
                return self.logged_in(&[Mechanism::Plain, Mechanism::Login], user, password).await;
            }
            (Some(MailLogin::Token(user, _)), Some(tokens)) => (user, tokens),
            (Some(MailLogin::Token(..)), None) => return Err(Trouble::Login("there are no tokens".to_owned())),
        };
        let (user, tokens) = login;
        loop {
            let token = tokens.get().await.map_err(|error| Trouble::Away(error.reason().to_owned()))?;
            match self.logged_in(&[Mechanism::Xoauth2], user, &token.secret).await {
                Err(Trouble::Login(why)) => {
                    tokens.forget(&token.secret).await;
                    if !token.was_kept {
                        return Err(Trouble::Login(why));
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
    ) -> Result<AsyncSmtpConnection, Trouble> {
        let mut connection = self.open().await?;
        let credentials = Credentials::new(user.to_owned(), secret.expose_secret().to_owned());
        match connection.auth(mechanisms, &credentials).await {
            Ok(_welcome) => Ok(connection),
            // A client's error is one too: so lettre ends a refused XOAUTH2, which is a challenge first.
            Err(error) if error.is_permanent() || error.is_client() => {
                let said = self.said(&error, Some(secret));
                Err(Trouble::Login(format!("the mail server refuses the login: {said}")))
            }
            Err(error) => Err(Trouble::Away(self.said(&error, Some(secret)))),
        }
    }

    /// An encrypted connection, if that is demanded.
    async fn open(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let away = |error: SmtpError| Trouble::Away(self.said(&error, None));
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
        tracing::error!(mail.host = %self.server.host, %why, "the mail server lets nobody in; check smtp.url and the email keys");
    }

    /// An error in the server's words: one line, bounded, and without what it was told in confidence.
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
