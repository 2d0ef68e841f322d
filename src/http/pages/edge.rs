//! What stands around every page: headers, and errors as pages.
//!
//! **Invariant:** no page leaves without a Content-Security-Policy, and a page runs no script but
//! those of this shop (and Razorpay's where it takes the payment).

use actix_web::{
    Error, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
        },
    },
    middleware::Next,
};

use super::{problem, visit};
use crate::http::error::ApiError;

const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
    connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// The policy of the page on which Razorpay's checkout opens.
pub const PAYING_POLICY: &str = "default-src 'self'; script-src 'self' https://checkout.razorpay.com; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; \
    connect-src 'self' ws: wss: https://api.razorpay.com https://lumberjack.razorpay.com; \
    frame-src https://api.razorpay.com https://checkout.razorpay.com; object-src 'none'; base-uri 'self'; \
    form-action 'self' https://api.razorpay.com; frame-ancestors 'none'";

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The middleware of pages.
///
/// # Errors
/// As what it stands around.
pub async fn edge<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let answer = next.call(req).await?;
    let mut answer = match error_of(&answer) {
        Some(error) if !visit::wants_json(answer.request()) => {
            let (req, _) = answer.into_parts();
            let page = problem::answer(&req, &error).await;
            ServiceResponse::new(req, page).map_into_right_body()
        }
        _ => answer.map_into_left_body(),
    };
    protect(&mut answer);
    Ok(answer)
}

/// The error of an answer that has no page of its own.
fn error_of<B>(answer: &ServiceResponse<B>) -> Option<ApiError> {
    match answer.response().error() {
        Some(error) => Some(match error.as_error::<ApiError>() {
            Some(error) => error.clone(),
            None => ApiError::from_status(answer.status(), &error.to_string()),
        }),
        // A resource refuses methods with an empty body.
        None if answer.status() == StatusCode::METHOD_NOT_ALLOWED && !answer.headers().contains_key(ALLOW) => {
            Some(ApiError::MethodNotAllowed { allow: "GET, HEAD, POST".to_owned() })
        }
        None => None,
    }
}

fn protect<B>(answer: &mut ServiceResponse<B>) {
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
    set(CACHE_CONTROL, "private, no-cache");
}

/// The page that says that there is no such page, for a browser; others get the error itself.
pub async fn not_found(req: &HttpRequest, error: &ApiError) -> Option<actix_web::HttpResponse> {
    let of_pages = visit::state(req).is_ok_and(|state| state.settings.web_shop)
        && visit::wants_html(req)
        && !["/api/", "/internal/", "/media/", "/assets/"].iter().any(|prefix| req.path().starts_with(prefix));
    if !of_pages {
        return None;
    }
    let mut answer = problem::answer(req, error).await;
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(answer)
}
