//! Errors as pages.
//!
//! **Invariant:** internal details are never shown; the page names the request's id, under which the log has them.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, ResponseError,
    http::{
        Method,
        header::{ALLOW, HeaderName, REFERER, RETRY_AFTER},
    },
};
use askama::Template;

use super::{
    context::PageContext,
    form::OTHER_ACCOUNT,
    page::{self, Page, escape, sentence},
    saved_forms::SavedForm,
};
use crate::http::{audit, error::ApiError, request_id};

#[derive(Template)]
#[template(path = "shop/error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    heading: &'static str,
    message: String,
    advice: &'static str,
    request_id: String,
}

/// The title of an error, and what the user can do.
fn words(error: &ApiError) -> (&'static str, &'static str) {
    match error.status_code().as_u16() {
        404 => ("We cannot find that", "It may have been sold out and taken down, or the link is wrong. Try a search."),
        403 => ("That is not open to you", "If you came here from a form, reload its page and try again."),
        405 => ("That does not work here", "Go back and use the buttons of the page."),
        409 => ("That did not work out", "Something changed meanwhile. Look again and try once more."),
        413 => ("That is too large", "Send something smaller."),
        429 => ("Too many tries", "Wait a little, then try again."),
        503 => {
            ("One moment, please", "A part of the shop is busy or away. Nothing is lost; try again in a few seconds.")
        }
        500.. => ("Something went wrong on our side", "It has been noted. Try again in a moment."),
        _ => ("We did not understand that", "Check what was entered, or start from the home page."),
    }
}

/// The page of an error; without a login it redirects to the login, which leads back.
pub async fn answer(req: &HttpRequest, error: &ApiError) -> HttpResponse {
    let known = match PageContext::of(req).await {
        Ok(context) => Ok(context),
        Err(_) => PageContext::anonymous(req),
    };
    let Ok(mut context) = known else { return error.error_response() };
    if matches!(error, ApiError::Unauthorized { .. }) && context.user.is_none() {
        let to = format!("/login?next={}", escape(&back(req, &context.here)));
        let kept = req.extensions_mut().remove::<SavedForm>();
        if let Some(kept) = kept {
            let advice = context.save_form(kept);
            context.flash_error(advice);
        } else if *req.method() == Method::POST {
            context.flash_error("You are logged out. Log in to go on.");
        }
        return context.redirect(&to);
    }
    if *error == ApiError::two_factor_required() && *req.method() == Method::GET {
        context.flash_error("Your role needs two-factor authentication here. Set it up to go on.");
        return context.redirect("/account/security");
    }
    if error.code() == "auth.email_unverified" {
        context.flash_error("Confirm your e-mail address first: open the link in the mail that we sent to it.");
        return context.redirect("/account");
    }
    if *error == OTHER_ACCOUNT {
        context.flash_error("This page was opened for another account, so nothing was changed. Here it is for yours.");
        let to = back(req, &context.here);
        return context.redirect(&to);
    }
    let (heading, advice) = words(error);
    let id = request_id::of_client(req.headers()).map_or_else(request_id::new, str::to_owned);
    let mut message = sentence(&error.to_string());
    if let ApiError::Validation(errors) = error
        && let Some(first) = errors.first()
    {
        message = sentence(&format!("{} {}", first.path, first.msg));
    }
    if let ApiError::Internal(detail) = error {
        tracing::error!(request.id = id, path = req.path(), detail, "a page failed with an internal error");
    }
    audit::refused(req, error, &id);
    let status = error.status_code();
    let page = ErrorPage {
        page: context.page(heading),
        status: status.as_u16(),
        heading,
        message,
        advice,
        request_id: id.clone(),
    };
    let mut answer = context.html(status, &page).unwrap_or_else(|error| error.error_response());
    for name in [RETRY_AFTER, ALLOW] {
        if let Some(value) = error.error_response().headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    if let Ok(id) = id.try_into() {
        answer.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    answer
}

/// The page to return to after a login: this page, or the one whose form was sent.
fn back(req: &HttpRequest, here: &str) -> String {
    if *req.method() == Method::GET || *req.method() == Method::HEAD {
        return page::local(here).to_owned();
    }
    let referer = req.headers().get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = referer.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    page::local(page_of(path.unwrap_or(here))).to_owned()
}

/// The page of the form that goes to `path`: the path of a form may not be a page itself.
pub(super) fn page_of(path: &str) -> &str {
    let bases = ["/account", "/cart", "/seller/orders", "/admin/users", "/admin/payments", "/admin/dead"];
    let base = bases.into_iter().find(|base| path.strip_prefix(*base).is_some_and(|rest| rest.starts_with('/')));
    match base {
        // These forms are on a confirmation page of their own.
        Some("/admin/users") if path.ends_with("block") && !path.ends_with("unblock") => path,
        Some(base) => base,
        None => path.strip_suffix("/cancel").unwrap_or(path),
    }
}
