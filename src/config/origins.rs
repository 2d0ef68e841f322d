//! Which pages may use the cookies of this shop.

use std::net::IpAddr;

use actix_web::http::uri::Authority;

use super::PublicUrl;

/// The origins whose pages may use the cookies of this shop.
#[derive(Debug, Clone)]
pub struct Origins {
    /// The shop's own origin.
    pub public_url: PublicUrl,
    /// The origins of other web clients.
    pub allowed: Vec<String>,
    /// Whether pages may also be opened at an IP address or at `localhost`, whatever the shop's own
    /// address is: in development they are.
    pub local: bool,
}

impl Default for Origins {
    fn default() -> Self {
        Self { public_url: PublicUrl::from("http://127.0.0.1:8080"), allowed: vec![], local: true }
    }
}

impl Origins {
    /// Whether a request with these headers may use the cookie that came with it.
    #[must_use]
    pub fn may_use_cookie(&self, fetch_site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> bool {
        match (fetch_site, origin) {
            (Some("same-origin" | "none"), _) | (None, None) => true,
            (Some(_), origin) => origin.is_some_and(|origin| self.contains(origin)),
            (None, Some(origin)) => self.contains(origin) || self.is_local(host, origin),
        }
    }

    /// Whether it is an IP address or `localhost`, and such origins are allowed.
    #[must_use]
    pub fn is_local(&self, host: Option<&str>, origin: &str) -> bool {
        self.local && is_local(host, origin)
    }

    fn contains(&self, origin: &str) -> bool {
        let own = std::iter::once(&*self.public_url);
        own.chain(self.allowed.iter().map(String::as_str)).any(|allowed| allowed.trim_end_matches('/') == origin)
    }
}

/// Whether the page was opened at the IP address or at the `localhost` that the request went to. Any other name may
/// be controlled by someone else's name server.
fn is_local(host: Option<&str>, origin: &str) -> bool {
    let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let Some(host) = host.filter(|host| of_origin == Some(host)) else { return false };
    let Ok(host) = host.parse::<Authority>() else { return false };
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok() || name == "localhost" || name.ends_with(".localhost")
}
