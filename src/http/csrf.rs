//! The rule against forged requests: what changes state by a cookie must come from a page
//! of this shop or of an allowed origin. A request with neither `Sec-Fetch-Site` nor
//! `Origin` comes from no browser and passes.

use std::net::IpAddr;

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HOST, HeaderName, ORIGIN},
        uri::Authority,
    },
};

use super::error::ApiError;
use crate::config::PublicUrl;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const REFUSED: ApiError = ApiError::Forbidden { code: "request.csrf", message: "this request comes from another site" };

/// Checks a request that is authenticated by cookie; one that only reads passes.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check(req: &HttpRequest, origins: &Origins) -> Result<(), ApiError> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(req.method()) {
        return Ok(());
    }
    check_always(req, origins)
}

/// Checks whatever the method is: for forms that log in or out and for sockets.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check_always(req: &HttpRequest, origins: &Origins) -> Result<(), ApiError> {
    let host = header(req, &HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    let passes = origins.may_use_cookie(header(req, &SEC_FETCH_SITE), header(req, &ORIGIN), host);
    if passes { Ok(()) } else { Err(REFUSED) }
}

/// The origins whose pages may use the cookies of this shop.
#[derive(Debug, Clone)]
pub struct Origins {
    /// The shop's own.
    pub public_url: PublicUrl,
    /// Those of web clients elsewhere.
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
            (None, Some(origin)) => self.contains(origin) || (self.local && is_local(host, origin)),
        }
    }

    fn contains(&self, origin: &str) -> bool {
        let own = std::iter::once(&*self.public_url);
        own.chain(self.allowed.iter().map(String::as_str)).any(|allowed| allowed.trim_end_matches('/') == origin)
    }
}

/// Whether the browser says that a page of this very site sent the request. Without its word it is not known.
#[must_use]
pub fn is_from_here(req: &HttpRequest, origins: &Origins) -> bool {
    let host = header(req, &HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    match (header(req, &SEC_FETCH_SITE), header(req, &ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, None) => false,
        (None, Some(origin)) => {
            origins.public_url.trim_end_matches('/') == origin || (origins.local && is_local(host, origin))
        }
    }
}

/// Checks a logout by GET: a link on another page of this site may log out, one on
/// another site may not.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check_logout(req: &HttpRequest) -> Result<(), ApiError> {
    if header(req, &SEC_FETCH_SITE) == Some("cross-site") { Err(REFUSED) } else { Ok(()) }
}

/// A header's text; one that is no text is there and matches nothing.
fn header<'a>(req: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    req.headers().get(name).map(|value| value.to_str().unwrap_or(""))
}

/// Whether the page was opened at the IP address or at the `localhost` that the request went to. Any
/// other name may be one that somebody else's name server leads here.
fn is_local(host: Option<&str>, origin: &str) -> bool {
    let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let Some(host) = host.filter(|host| of_origin == Some(host)) else { return false };
    let Ok(host) = host.parse::<Authority>() else { return false };
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok() || name == "localhost" || name.ends_with(".localhost")
}
