//! The pages that mailed links lead to, and the one that asks for such a mail.
//!
//! **Invariant:** opening a link shows a form; only sending the form acts.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, FormRequest},
    page::Page,
};
use crate::{
    actors::accounts::credentials::{ConfirmEmail, RequestPasswordReset, ResetPassword},
    domain::{
        Timestamp,
        identity::{PASSWORD_BYTES_MAX, is_email, login_key},
    },
    http::{
        error::ApiError,
        query,
        routes::credentials::{RESET_MAILED, end_tokens},
    },
};

const INVALID: &str = "This link is not valid any more. Ask for a new one.";

#[derive(Template)]
#[template(path = "shop/forgot.html")]
struct ForgotPage {
    page: Page,
    form: Form,
    /// Whether a mail was asked for.
    asked: bool,
}

#[derive(Template)]
#[template(path = "shop/reset.html")]
struct ResetPage {
    page: Page,
    form: Form,
    token: String,
    problem: String,
}

#[derive(Template)]
#[template(path = "shop/verify.html")]
struct VerifyPage {
    page: Page,
    token: String,
    problem: String,
}

/// The token of a link. The page's own links must not pass it on.
fn token_of(req: &HttpRequest, context: &mut PageContext) -> String {
    context.here = req.path().to_owned();
    query::value(req.query_string(), "token").unwrap_or_default()
}

///
/// # Errors
/// 503 while it cannot be checked who is logged in.
pub async fn forgot_form(context: PageContext) -> Result<HttpResponse, ApiError> {
    let page = context.page("Forgotten password");
    context.ok(&ForgotPage { page, form: Form::default(), asked: false })
}

/// Mails a link to reset the password, if there is such a user.
///
/// # Errors
/// 429, 503.
pub async fn forgot(
    req: HttpRequest,
    FormRequest { context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let email = form.typed("email").to_owned();
    let page = context.page("Forgotten password");
    if !is_email(&email) {
        form.refuse("email", "enter an e-mail address, like name@example.com");
        return context.html(StatusCode::BAD_REQUEST, &ForgotPage { page, form, asked: false });
    }
    context.state().check_auth_rate(&req, Some(&login_key(&email))).await?;
    context.calls.ask(RequestPasswordReset { email }).await?;
    if context.wants_json {
        return Ok(HttpResponse::Accepted().json(serde_json::json!({ "message": RESET_MAILED })));
    }
    context.ok(&ForgotPage { page, form, asked: true })
}

///
/// # Errors
/// 503 while it cannot be checked who is logged in.
pub async fn reset_form(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let token = token_of(&req, &mut context);
    let problem = if token.is_empty() { INVALID.to_owned() } else { String::new() };
    let page = context.page("New password");
    context.ok(&ResetPage { page, form: Form::default(), token, problem })
}

/// Sets a new password.
///
/// # Errors
/// 429, 503; errors of the password are shown beside it.
pub async fn reset(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let token = form.text("token").to_owned();
    context.state().check_auth_rate(&req, None).await?;
    if form.text("password").len() > PASSWORD_BYTES_MAX {
        form.refuse("password", "use at most 128 characters");
    }
    let mut problem = String::new();
    if form.is_fine() {
        let password = SecretString::from(form.text("password"));
        let reset = ResetPassword { token: SecretString::from(token.as_str()), password };
        match context.calls.ask(reset).await.map_err(ApiError::from) {
            Ok(user) => {
                end_tokens(context.state(), &user).await;
                // Whoever was logged in here has to log in again.
                context.forget_user();
                context.flash_message("Your password is changed. Log in with it.");
                return Ok(context.redirect("/login"));
            }
            Err(error) if error.code() == "auth.token_invalid" => INVALID.clone_into(&mut problem),
            Err(error) => form.take(error, str::to_owned)?,
        }
    }
    let page = context.page("New password");
    context.html(StatusCode::BAD_REQUEST, &ResetPage { page, form, token, problem })
}

///
/// # Errors
/// 503 while it cannot be checked who is logged in.
pub async fn verify_form(req: HttpRequest, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    let token = token_of(&req, &mut context);
    let problem = if token.is_empty() { INVALID.to_owned() } else { String::new() };
    let page = context.page("Confirm your e-mail");
    context.ok(&VerifyPage { page, token, problem })
}

/// Confirms an e-mail address.
///
/// # Errors
/// 429, 503.
pub async fn verify(
    req: HttpRequest,
    FormRequest { mut context, form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let token = form.text("token").to_owned();
    context.state().check_auth_rate(&req, None).await?;
    let confirm = ConfirmEmail { token: SecretString::from(token.as_str()) };
    let confirmed = match context.calls.ask(confirm).await.map_err(ApiError::from) {
        Ok(confirmed) => confirmed,
        Err(error) if ["auth.token_invalid", "auth.user_exists"].contains(&error.code()) => {
            let problem = match error.code() {
                "auth.user_exists" => "Another account has this address by now. Choose another one.",
                _ => INVALID,
            };
            let page = context.page("Confirm your e-mail");
            return context.html(StatusCode::BAD_REQUEST, &VerifyPage { page, token, problem: problem.to_owned() });
        }
        Err(error) => return Err(error),
    };
    let is_caller = context.user.as_ref().is_some_and(|user| user.id == confirmed.user.id);
    if confirmed.replaced {
        end_tokens(context.state(), &confirmed.user).await;
        if is_caller {
            context.renew_session(&confirmed.user, Timestamp::now()).await?;
        }
    }
    context.flash_message("Your e-mail address is confirmed.");
    Ok(context.redirect(if is_caller { "/account" } else { "/login" }))
}
