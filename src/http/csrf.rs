//! The check against cross-site request forgery: a request that changes state by a cookie must come from a page of
//! this shop or of an allowed origin. A request with neither `Sec-Fetch-Site` nor `Origin` does not come from a
//! browser and passes.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HOST, HeaderName, ORIGIN},
        uri::Authority,
    },
};

use super::error::ApiError;
use crate::config::Origins;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const REFUSED: ApiError = ApiError::Forbidden { code: "request.csrf", message: "this request comes from another site" };

/// Checks a request that is authenticated by cookie; a request that only reads passes.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check(req: &HttpRequest, origins: &Origins) -> Result<(), ApiError> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(req.method()) {
        return Ok(());
    }
    check_always(req, origins)
}

/// Checks a request of any method: for forms that log in or out, and for sockets.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check_always(req: &HttpRequest, origins: &Origins) -> Result<(), ApiError> {
    let host = header(req, &HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    let passes = origins.may_use_cookie(header(req, &SEC_FETCH_SITE), header(req, &ORIGIN), host);
    if passes { Ok(()) } else { Err(REFUSED) }
}

/// Whether the browser says that a page of this site sent the request; `false` when it says nothing.
#[must_use]
pub fn is_from_here(req: &HttpRequest, origins: &Origins) -> bool {
    let host = header(req, &HOST).or_else(|| req.uri().authority().map(Authority::as_str));
    match (header(req, &SEC_FETCH_SITE), header(req, &ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, None) => false,
        (None, Some(origin)) => origins.public_url.trim_end_matches('/') == origin || origins.is_local(host, origin),
    }
}

/// Checks a logout by GET: a link on another page of this site may log out, a link on another site may not.
///
/// # Errors
/// 403 `request.csrf`.
pub fn check_logout(req: &HttpRequest) -> Result<(), ApiError> {
    if header(req, &SEC_FETCH_SITE) == Some("cross-site") { Err(REFUSED) } else { Ok(()) }
}

/// A header's text; a header that is not text yields an empty string, which matches nothing.
fn header<'a>(req: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    req.headers().get(name).map(|value| value.to_str().unwrap_or(""))
}
