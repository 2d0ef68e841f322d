//! Decides which addresses may be called on behalf of a user: those of the public internet.
//!
//! **Invariant:** every address has passed [`is_public`] at the moment of connecting, regardless of earlier name
//! lookups, unless the operator allows private ones.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// The longest URL.
pub const URL_MAX: usize = 2_000;

/// Ports of other services that would interpret a request as commands.
const BAD_PORTS: [u16; 14] = [0, 21, 22, 23, 25, 53, 110, 143, 465, 587, 993, 995, 6_000, 6_667];

/// What is allowed besides public addresses over HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlRules {
    /// Whether plain HTTP is allowed.
    pub allow_http: bool,
    /// Whether private addresses are allowed.
    pub allow_private: bool,
}

/// Why a URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is not a URL.
    #[error("must be an http or https URL of at most 2000 characters")]
    NotAUrl,
    /// Plain HTTP.
    #[error("must begin with https://")]
    NotHttps,
    /// It contains a user or a password.
    #[error("must not have a user or password in it")]
    HasUser,
    /// It has the port of a service that would interpret a request as commands, such as mail.
    #[error("must not lead to this port")]
    BadPort,
    /// Its address is not public.
    #[error("leads to a private address; an operator allows those with webhooks.allow_private")]
    Private,
}

/// Reads and checks a receiver's URL. A name's addresses are checked when a connection is made.
pub fn read(text: &str, rules: UrlRules) -> Result<Url, UrlError> {
    let plain = text.len() <= URL_MAX && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let url: Url = text.parse().ok().filter(|_| plain).ok_or(UrlError::NotAUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if rules.allow_http => {}
        "http" => return Err(UrlError::NotHttps),
        _ => return Err(UrlError::NotAUrl),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::HasUser);
    }
    if url.port().is_some_and(|port| BAD_PORTS.contains(&port)) {
        return Err(UrlError::BadPort);
    }
    let host = url.host_str().unwrap_or_default();
    if !rules.allow_private && is_private_host(host) {
        return Err(UrlError::Private);
    }
    Ok(url)
}

/// Whether a host is a private address, or a name for one. The URL parser has normalised other notations of IPv4
/// addresses.
fn is_private_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return !is_public(address);
    }
    let name = bare.to_ascii_lowercase();
    let local = [".localhost", ".local", ".internal", ".home.arpa"];
    name == "localhost" || name.is_empty() || local.iter().any(|end| name.ends_with(end))
}

/// Whether an address belongs to the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not public, as (network, bits).
const PRIVATE_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, the reserved range above it, and broadcast.
    ([224, 0, 0, 0], 3),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(network, bits): &([u8; 4], u32)| {
        (Ipv4Addr::from(*network).to_bits() ^ address.to_bits()).leading_zeros() >= *bits
    };
    !PRIVATE_V4.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match parts {
        // Mapped, and the older form of it; `::` and `::1` are among these.
        [0, 0, 0, 0, 0, 0xffff, high, low] => is_public_v4(v4(high, low)),
        // NAT64 and 6to4, which contain IPv4 addresses.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo and other protocol assignments, ORCHID, documentation.
        [0x2001, 0..0x0200, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..0x1000, ..] => false,
        // The globally assigned range; the rest is local, multicast or unused.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// A resolver that drops addresses that are not public.
#[derive(Debug, Clone, Copy)]
pub struct PublicOnly {
    /// Drops none.
    pub allow_private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = found.filter(|address| allow_private || is_public(address.ip()));
            let allowed: Vec<SocketAddr> = allowed.collect();
            if allowed.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, UrlError::Private).into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: UrlRules = UrlRules { allow_http: false, allow_private: false };
    const OPEN: UrlRules = UrlRules { allow_http: true, allow_private: true };

    #[test]
    fn addresses_that_are_not_public_are_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn urls_lead_to_public_hosts_over_https() {
        for text in ["https://shop.example/hooks?a=b", "https://8.8.8.8/", "https://[2606:4700::1]:8443/x"] {
            assert!(read(text, STRICT).is_ok(), "{text}");
        }
        for (text, error) in [
            ("", UrlError::NotAUrl),
            ("shop.example", UrlError::NotAUrl),
            ("ftp://shop.example", UrlError::NotAUrl),
            ("file:///etc/passwd", UrlError::NotAUrl),
            ("https://", UrlError::NotAUrl),
            ("https://a b", UrlError::NotAUrl),
            ("https://shop.example/\r\nx", UrlError::NotAUrl),
            ("http://shop.example", UrlError::NotHttps),
            ("https://me@shop.example", UrlError::HasUser),
            ("https://me:hush@shop.example", UrlError::HasUser),
            ("https://shop.example:25", UrlError::BadPort),
            ("https://localhost", UrlError::Private),
            ("https://LOCALHOST.:8443", UrlError::Private),
            ("https://db.localhost", UrlError::Private),
            ("https://metadata.google.internal", UrlError::Private),
            ("https://printer.local", UrlError::Private),
            ("https://127.0.0.1", UrlError::Private),
            ("https://127.1", UrlError::Private),
            ("https://2130706433", UrlError::Private),
            ("https://0x7f000001", UrlError::Private),
            ("https://0177.0.0.1", UrlError::Private),
            ("https://127.0.0.1.", UrlError::Private),
            ("https://\u{ff11}27.0.0.1", UrlError::Private),
            ("https://169.254.169.254/latest/meta-data", UrlError::Private),
            ("https://[::1]", UrlError::Private),
            ("https://[::ffff:10.0.0.1]", UrlError::Private),
            ("https://[fd00::1]", UrlError::Private),
        ] {
            assert_eq!(read(text, STRICT), Err(error), "{text}");
        }
        assert!(read(&format!("https://a.example/{}", "x".repeat(URL_MAX)), OPEN).is_err());
        assert!(read("http://127.0.0.1:9000/x", OPEN).is_ok());
        assert!(read("http://me@127.0.0.1:9000/x", OPEN).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_resolved() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = PublicOnly { allow_private: false }.resolve(name()).await;
        assert!(refused.err().unwrap().to_string().contains("webhooks.allow_private"));
        assert!(PublicOnly { allow_private: true }.resolve(name()).await.unwrap().count() > 0);
    }
}
