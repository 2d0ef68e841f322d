//! The shop's own address, as browsers and mail readers know it.
//!
//! **Invariant:** it comes from the configuration alone, never from a request's `Host`.

use std::{
    fmt,
    net::IpAddr,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use super::{Config, error::quoted};

/// The shop's own address: scheme, host and port, without a slash at the end.
///
/// Without `http.public_url` it is the address that the process listens on. With port 0 that is
/// known once it listens, so that clones share it.
#[derive(Clone)]
pub struct PublicUrl {
    configured: Arc<str>,
    listening: Arc<OnceLock<Box<str>>>,
}

impl PublicUrl {
    /// The configured URL, or else the address that the process listens on.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        match &config.http.public_url {
            Some(url) => Self::from(url.as_str()),
            None => Self::from(listening_url(&config.http.host, config.http.port).as_str()),
        }
    }

    /// Sets the port of the process, if any free port was requested.
    pub fn set_port(&self, config: &Config, port: u16) {
        if config.http.public_url.is_none() && config.http.port == 0 {
            self.listening.get_or_init(|| listening_url(&config.http.host, port).into());
        }
    }
}

impl Deref for PublicUrl {
    type Target = str;

    fn deref(&self) -> &str {
        self.listening.get().map_or(&self.configured, |url| url)
    }
}

impl From<&str> for PublicUrl {
    fn from(url: &str) -> Self {
        Self { configured: url.into(), listening: Arc::default() }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq for PublicUrl {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for PublicUrl {}

/// The address by which this machine reaches a process that listens on `host` and `port`.
#[must_use]
pub fn listening_url(host: &str, port: u16) -> String {
    let host = match host.parse::<IpAddr>() {
        // A process that listens on every address is reached at the loopback address.
        Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => "localhost".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => host.to_ascii_lowercase(),
    };
    if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") }
}

/// Reads `http.public_url`, in the form in which browsers send it as `Origin`.
pub(super) fn read(text: &str) -> Result<String, String> {
    // The value is not quoted if it may contain a password.
    let shown = if text.contains('@') { "this".to_owned() } else { quoted(text) };
    let wrong = |problem: &str| format!("{shown} {problem}; write for example https://shop.example");
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| wrong("is not an absolute http or https address"))?;
    if rest.contains('@') {
        return Err(wrong("must have no user name or password"));
    }
    if rest.contains(['?', '#']) || rest.strip_suffix('/').unwrap_or(rest).contains(['/', '\\']) {
        return Err(wrong("must have no path, query or fragment"));
    }
    let unusable = || wrong("is not an address that can be reached");
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) || rest.is_empty() {
        return Err(unusable());
    }
    let url = reqwest::Url::parse(text).map_err(|_| unusable())?;
    let ip = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if url.port() == Some(0) || ip.is_some_and(|ip| ip.to_canonical().is_unspecified()) {
        return Err(unusable());
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_more() {
        for (text, kept) in [
            ("https://shop.example", "https://shop.example"),
            ("https://shop.example/", "https://shop.example"),
            ("HTTPS://Shop.Example:443", "https://shop.example"),
            ("http://shop.example:80/", "http://shop.example"),
            ("http://shop.example:8443", "http://shop.example:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(kept), "{text}");
        }
        for (text, problem) in [
            ("shop.example", "is not an absolute http or https address"),
            ("//shop.example", "is not an absolute http or https address"),
            ("/", "is not an absolute http or https address"),
            ("ftp://shop.example", "is not an absolute http or https address"),
            ("https:shop.example", "is not an absolute http or https address"),
            ("https://shop.example/shop", "must have no path, query or fragment"),
            ("https://shop.example//", "must have no path, query or fragment"),
            ("https://shop.example\\a", "must have no path, query or fragment"),
            ("https://shop.example?a=b", "must have no path, query or fragment"),
            ("https://shop.example/?", "must have no path, query or fragment"),
            ("https://shop.example#top", "must have no path, query or fragment"),
            ("https://me:hush@shop.example", "must have no user name or password"),
            ("https://@shop.example", "must have no user name or password"),
            ("https://", "is not an address that can be reached"),
            ("https:///", "is not an address that can be reached"),
            ("https://:8080", "is not an address that can be reached"),
            ("https://shop example", "is not an address that can be reached"),
            ("https://shop.example\n", "is not an address that can be reached"),
            ("https://shop.example:0", "is not an address that can be reached"),
            ("https://shop.example:99999", "is not an address that can be reached"),
            ("http://0.0.0.0:8080", "is not an address that can be reached"),
            ("http://[::]:8080", "is not an address that can be reached"),
            ("http://a<b>", "is not an address that can be reached"),
        ] {
            let message = read(text).unwrap_err();
            assert!(
                message.contains(problem) && message.ends_with("write for example https://shop.example"),
                "{text}: {message}"
            );
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn without_one_it_is_where_the_process_listens() {
        for (host, url) in [
            ("127.0.0.1", "http://127.0.0.1:8080"),
            ("0.0.0.0", "http://127.0.0.1:8080"),
            ("::", "http://localhost:8080"),
            ("::1", "http://[::1]:8080"),
            ("192.0.2.7", "http://192.0.2.7:8080"),
            ("Shop.Internal", "http://shop.internal:8080"),
        ] {
            assert_eq!(listening_url(host, 8080), url);
        }
        assert_eq!(listening_url("0.0.0.0", 80), "http://127.0.0.1");
    }
}
