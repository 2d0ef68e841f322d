//! The rule against forged requests: what changes state by a cookie must come from a page
//! of this shop or of an allowed origin. A request with neither `Sec-Fetch-Site` nor
//! `Origin` comes from no browser and passes.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HOST, HeaderName, ORIGIN},
        uri::Authority,
    },
};

use super::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const REFUSED: ApiError = ApiError::Forbidden { code: "request.csrf", message: "this request comes from another site" };

/// Checks a request that is authenticated by cookie; one that only reads passes.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check(req: &HttpRequest, allowed_origins: &[String]) -> Result<(), ApiError> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(req.method()) {
        return Ok(());
    }
    check_always(req, allowed_origins)
}

/// Checks whatever the method is: for forms that log in or out and for sockets.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check_always(req: &HttpRequest, allowed_origins: &[String]) -> Result<(), ApiError> {
    let host = header(req, &HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    let passes = may_use_cookie(header(req, &SEC_FETCH_SITE), header(req, &ORIGIN), host, allowed_origins);
    if passes { Ok(()) } else { Err(REFUSED) }
}

/// Whether a request with these headers may use the cookie that came with it.
#[must_use]
pub fn may_use_cookie(
    fetch_site: Option<&str>,
    origin: Option<&str>,
    host: Option<&str>,
    allowed_origins: &[String],
) -> bool {
    let allowed = |origin: &str| allowed_origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin);
    match (fetch_site, origin) {
        (Some("same-origin" | "none"), _) | (None, None) => true,
        (Some(_), origin) => origin.is_some_and(allowed),
        (None, Some(origin)) => allowed(origin) || is_own(host, origin),
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

fn is_own(host: Option<&str>, origin: &str) -> bool {
    let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    of_origin.is_some() && of_origin == host
}
