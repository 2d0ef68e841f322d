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
use crate::http::{error::ApiError, fallback, middleware::has_credentials, state::HttpSettings};

/// The Content-Security-Policy of pages. To browsers `'self'` means the sockets of this shop as well.
pub struct Policies {
    usual: HeaderValue,
    /// Of the page that opens Razorpay's checkout.
    pub(super) paying: HeaderValue,
}

impl Policies {
    /// The policies of a shop with these settings.
    #[must_use]
    pub fn new(settings: &HttpSettings) -> Self {
        // `blob:` shows pictures before they are sent.
        let own = ["'self'", "data:", "blob:"].into_iter().chain(settings.image_origin.as_deref());
        let images = own.collect::<Vec<_>>().join(" ");
        let policy = |images: &str, more: &str| {
            let text = format!(
                "default-src 'self'; img-src {images}; {more}; object-src 'none'; base-uri 'self'; \
                 frame-ancestors 'none'"
            );
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("default-src 'self'"))
        };
        Self {
            usual: policy(&images, "script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'"),
            paying: policy(
                &format!("{images} https://cdn.razorpay.com"),
                "script-src 'self' https://checkout.razorpay.com; style-src 'self' 'unsafe-inline'; \
                 connect-src 'self' https://api.razorpay.com https://lumberjack.razorpay.com \
                 https://lumberjack-cx.razorpay.com; \
                 frame-src https://api.razorpay.com https://checkout.razorpay.com; \
                 form-action 'self' https://api.razorpay.com",
            ),
        }
    }

    /// The policy of most pages.
    fn of(req: &HttpRequest) -> HeaderValue {
        let policy = context::state(req).map(|state| state.policies.usual.clone());
        policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'self'"))
    }
}

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
    let policy = Policies::of(answer.request());
    let headers = answer.headers_mut();
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let mut set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
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
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, Policies::of(req));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_are_configured_are_allowed() {
        let policies = Policies::new(&HttpSettings::default());
        let directive = |policy: &HeaderValue, name: &str| {
            let text = policy.to_str().unwrap().to_owned();
            let found =
                text.split("; ").find_map(|one| one.strip_prefix(name)).map(|sources| sources.trim().to_owned());
            found.unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        assert_eq!(directive(&policies.usual, "img-src"), "'self' data: blob:");
        assert_eq!(directive(&policies.usual, "connect-src"), "'self'");
        let image_origin = Some("https://ik.imagekit.io".to_owned());
        let policies = Policies::new(&HttpSettings { image_origin, ..HttpSettings::default() });
        assert_eq!(directive(&policies.usual, "img-src"), "'self' data: blob: https://ik.imagekit.io");
        let paying = &policies.paying;
        assert_eq!(directive(paying, "img-src"), "'self' data: blob: https://ik.imagekit.io https://cdn.razorpay.com");
        assert_eq!(directive(paying, "script-src"), "'self' https://checkout.razorpay.com");
        for (name, sources) in [("base-uri", "'self'"), ("object-src", "'none'"), ("frame-ancestors", "'none'")] {
            assert_eq!(directive(paying, name), sources);
        }
        let connect = directive(paying, "connect-src");
        assert!(connect.split(' ').skip(1).all(|host| host.ends_with(".razorpay.com")), "{connect}");
    }
}
