//! The mail server, read from `smtp.url`, `smtp.ca_file` and the `email.*` keys.
//!
//! `smtps://` is TLS from the first byte. `smtp://` requires STARTTLS, unless the host is this machine or `?tls=`
//! says otherwise. A login is the URL's user and password, or `email.user` with a password, or with tokens (XOAUTH2).
//!
//! **Invariant:** a login is sent to another machine only over required TLS; no error here quotes the URL.

use std::{net::IpAddr, path::PathBuf};

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::SecretString;

use super::{
    Config,
    error::{ConfigError, require},
};

/// The format of the URL.
const SHAPE: &str = "is not the address of a mail server; write for example \
    smtp://user:password@mail.example:587 or smtps://mail.example, with special characters as %40";

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// Never.
    None,
    /// By STARTTLS when the server offers it.
    Opportunistic,
    /// By STARTTLS, or there is no connection.
    Required,
    /// From the first byte.
    Implicit,
}

/// The source of access tokens.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// This one.
    Fixed(SecretString),
    /// Tokens are fetched with a refresh token.
    Refreshed {
        /// Where from.
        url: String,
        /// The caller.
        client_id: String,
        /// Proves it.
        client_secret: SecretString,
        /// What they are given for.
        refresh_token: SecretString,
    },
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum MailLogin {
    /// With a password.
    Password(String, SecretString),
    /// By XOAUTH2, as this user.
    Token(String, TokenSource),
}

#[derive(Debug, Clone)]
pub struct MailServer {
    /// Its host name, which its certificate must have.
    pub host: String,
    pub port: u16,
    /// Its encryption.
    pub tls: MailTls,
    /// The login, if it needs one.
    pub login: Option<MailLogin>,
    /// Certificate authorities besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// The mail server, if one is configured.
    ///
    /// # Errors
    /// The wrong or missing key.
    pub fn mail_server(&self) -> Result<Option<MailServer>, ConfigError> {
        let Some(given) = &self.smtp.url else { return self.no_server().map(|()| None) };
        let wrong = || ConfigError::new("smtp.url", SHAPE);
        let url = Url::parse(secrecy::ExposeSecret::expose_secret(given).trim()).map_err(|_| wrong())?;
        let host = url.host_str().map(|host| host.trim_matches(['[', ']'])).filter(|host| !host.is_empty());
        let host = host.ok_or_else(wrong)?.to_ascii_lowercase();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        let fits = host.parse::<IpAddr>().is_ok() || host.bytes().all(named);
        if !fits || !matches!(url.path(), "" | "/") || url.fragment().is_some() || url.port() == Some(0) {
            return Err(wrong());
        }
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let (tls, usual_port) = encryption(&url, local)?;
        let login = self.login(&url)?;
        let protected = login.is_none() || local || matches!(tls, MailTls::Required | MailTls::Implicit);
        require(protected, "smtp.url", "would send a login unprotected; leave out ?tls, or the login")?;
        let port = url.port().unwrap_or(usual_port);
        Ok(Some(MailServer { host, port, tls, login, ca_file: self.smtp.ca_file.clone() }))
    }

    /// Keys that need a server must not be set without one: they would be ignored silently.
    fn no_server(&self) -> Result<(), ConfigError> {
        let email = &self.email;
        let problem = "goes with smtp.url, which is not set; for Gmail it is smtps://smtp.gmail.com";
        require(email.user.is_none(), "email.user", problem)?;
        require(email.password.is_none(), "email.password", problem)?;
        require(email.client_id.is_none(), "email.client_id", problem)?;
        require(email.client_secret.is_none(), "email.client_secret", problem)?;
        require(email.refresh_token.is_none(), "email.refresh_token", problem)?;
        require(email.access_token.is_none(), "email.access_token", problem)?;
        require(self.smtp.ca_file.is_none(), "smtp.ca_file", problem)
    }

    fn login(&self, url: &Url) -> Result<Option<MailLogin>, ConfigError> {
        let email = &self.email;
        let user = match url.username() {
            "" => email.user.clone(),
            user => Some(decoded(user)?),
        };
        let password = match url.password() {
            Some(password) => Some(SecretString::from(decoded(password)?)),
            None => email.password.clone(),
        };
        let tokens = self.tokens()?;
        match (user, password, tokens) {
            (None, None, None) => Ok(None),
            (Some(user), Some(password), None) => Ok(Some(MailLogin::Password(user, password))),
            (Some(user), None, Some(tokens)) => Ok(Some(MailLogin::Token(user, tokens))),
            (_, Some(_), Some(_)) => {
                Err(ConfigError::new("email.password", "is one way to log in and tokens are another; give one of them"))
            }
            (Some(_), None, None) => {
                Err(ConfigError::new("email.password", "must be given with a user, or tokens in its place"))
            }
            (None, ..) => Err(ConfigError::new("email.user", "must be given with a password or tokens")),
        }
    }

    fn tokens(&self) -> Result<Option<TokenSource>, ConfigError> {
        let email = &self.email;
        let client = (&email.client_id, &email.client_secret, &email.refresh_token);
        match (&email.access_token, client) {
            (None, (None, None, None)) => Ok(None),
            (Some(token), (None, None, None)) => Ok(Some(TokenSource::Fixed(token.clone()))),
            (Some(_), _) => {
                let problem = "is never renewed; give it, or email.client_id and the others, but not both";
                Err(ConfigError::new("email.access_token", problem))
            }
            (None, (Some(client_id), Some(client_secret), Some(refresh_token))) => Ok(Some(TokenSource::Refreshed {
                url: email.token_url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                refresh_token: refresh_token.clone(),
            })),
            (None, (id, secret, _)) => {
                let missing = match (id, secret) {
                    (None, _) => "email.client_id",
                    (_, None) => "email.client_secret",
                    _ => "email.refresh_token",
                };
                let problem = "must be given: email.client_id, email.client_secret and email.refresh_token go together";
                Err(ConfigError::new(missing, problem))
            }
        }
    }
}

/// The encryption of the URL, and its default port.
fn encryption(url: &Url, local: bool) -> Result<(MailTls, u16), ConfigError> {
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        let tls = match (&*name, &*value) {
            ("tls", "required") => MailTls::Required,
            ("tls", "opportunistic") => MailTls::Opportunistic,
            ("tls", "none") => MailTls::None,
            _ => return Err(ConfigError::new("smtp.url", "takes ?tls=required, ?tls=opportunistic or ?tls=none only")),
        };
        asked = Some(tls);
    }
    let tls = match (url.scheme(), asked) {
        ("smtps", None) => MailTls::Implicit,
        ("smtps", Some(_)) => return Err(ConfigError::new("smtp.url", "is smtps:// and takes no ?tls")),
        ("smtp", Some(asked)) => asked,
        ("smtp", None) if local => MailTls::None,
        ("smtp", None) => MailTls::Required,
        _ => return Err(ConfigError::new("smtp.url", SHAPE)),
    };
    let port = match tls {
        MailTls::Implicit => 465,
        MailTls::Required => 587,
        MailTls::None | MailTls::Opportunistic => 25,
    };
    Ok((tls, port))
}

/// Percent-decodes a part of the URL.
fn decoded(part: &str) -> Result<String, ConfigError> {
    let digits = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let text = percent_decode_str(part).decode_utf8().ok();
    let text = text.filter(|text| part.split('%').skip(1).all(digits) && !text.contains(char::is_control));
    text.map(String::from).ok_or_else(|| ConfigError::new("smtp.url", SHAPE))
}
