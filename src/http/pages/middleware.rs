//! The middleware of pages: security headers, and errors as pages.
//!
//! **Invariant:** every page has a Content-Security-Policy, and a page runs no scripts except those of this shop (and
//! Razorpay's on the payment page).

use actix_web::{
    Error, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY},
    middleware::Next,
};

use super::{context, error_page};
use crate::http::{error::ApiError, fallback, middleware::has_credentials};

const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: https:; \
    connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// The policy of the page that opens Razorpay's checkout.
pub const PAYING_POLICY: &str = "default-src 'self'; script-src 'self' https://checkout.razorpay.com; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; \
    connect-src 'self' ws: wss: https://api.razorpay.com https://lumberjack.razorpay.com; \
    frame-src https://api.razorpay.com https://checkout.razorpay.com; object-src 'none'; base-uri 'self'; \
    form-action 'self' https://api.razorpay.com; frame-ancestors 'none'";

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

///
/// # Errors
///
/// Those of the wrapped service.
pub async fn page_middleware<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let answer = next.call(req).await?;
    let mut answer = match error_of(&answer) {
        Some(error) if wants_error_page(answer.request(), &error) => {
            let (req, _) = answer.into_parts();
            let page = error_page::answer(&req, &error).await;
            ServiceResponse::new(req, page).map_into_right_body()
        }
        Some(error) => answer.error_response(error).map_into_right_body(),
        None => answer.map_into_left_body(),
    };
    set_security_headers(&mut answer);
    Ok(answer)
}

/// The error of a response that is not a page.
fn error_of<B: MessageBody>(answer: &ServiceResponse<B>) -> Option<ApiError> {
    match answer.response().error() {
        Some(error) => Some(match error.as_error::<ApiError>() {
            Some(error) => error.clone(),
            None => ApiError::from_status(answer.status(), &error.to_string()),
        }),
        // Resources refuse methods with an empty body.
        None => {
            let size = answer.response().body().size();
            fallback::refused_method(answer.request(), answer.status(), answer.headers(), size)
        }
    }
}

/// Whether an error is shown as a page. Browsers do not use methods that a page does not have, so that other clients
/// get the error's body.
fn wants_error_page(req: &HttpRequest, error: &ApiError) -> bool {
    match error {
        ApiError::MethodNotAllowed { .. } => context::wants_html(req),
        _ => !context::wants_json(req),
    }
}

fn set_security_headers<B>(answer: &mut ServiceResponse<B>) {
    let personal = has_credentials(answer.request().headers());
    let headers = answer.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(REFERRER_POLICY, "strict-origin-when-cross-origin");
    set(PERMISSIONS, "camera=(), microphone=(), geolocation=()");
    set(OPENER, "same-origin-allow-popups");
    // The back button must not show a page about a user who has logged out.
    set(CACHE_CONTROL, if personal { "no-store" } else { "private, no-cache" });
}

/// The page for an unknown path, for browsers; `None` for other clients, which get the error itself.
pub async fn not_found(req: &HttpRequest, error: &ApiError) -> Option<actix_web::HttpResponse> {
    let of_pages = context::state(req).is_ok_and(|state| state.settings.web_shop)
        && context::wants_html(req)
        && !["/api/", "/internal/", "/media/", "/assets/"].iter().any(|prefix| req.path().starts_with(prefix));
    if !of_pages {
        return None;
    }
    let mut answer = error_page::answer(req, error).await;
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(answer)
}
