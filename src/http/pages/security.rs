//! The page about a user's security: the second factor, and where they are logged in.
//!
//! It is open without the second factor that the user's role must have, because that is set up here.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, FormRequest},
    format,
    page::Page,
};
use crate::{
    actors::accounts::{
        calls::GetUser,
        two_factor::{DisableTwoFactor, EnableTwoFactor},
    },
    domain::identity::PASSWORD_BYTES_MAX,
    http::{
        error::ApiError,
        routes::{
            sessions::{self, SessionView},
            two_factor::{self, TwoFactorSetup},
        },
    },
};

/// What the page shows of the second factor.
#[derive(Default)]
struct Factor {
    is_on: bool,
    /// How many recovery codes are left.
    codes_left: usize,
    /// The secret that was just made.
    setup: Option<TwoFactorSetup>,
    /// The recovery codes that were just made.
    codes: Vec<String>,
}

/// A session as the page shows it.
struct SessionLine {
    id: String,
    /// The browser or program.
    agent: String,
    ip: String,
    since: format::Time,
    seen: Option<format::Time>,
    current: bool,
}

impl From<SessionView> for SessionLine {
    fn from(session: SessionView) -> Self {
        let agent = session.user_agent.filter(|agent| !agent.is_empty());
        Self {
            id: session.id,
            agent: agent.unwrap_or_else(|| "A program without a name".to_owned()),
            ip: session.ip.unwrap_or_default(),
            since: format::time(session.created_at),
            seen: session.last_seen_at.map(format::time),
            current: session.current,
        }
    }
}

#[derive(Template)]
#[template(path = "shop/security.html")]
struct SecurityPage {
    page: Page,
    form: Form,
    email: String,
    factor: Factor,
    sessions: Vec<SessionLine>,
}

async fn page(
    context: PageContext,
    status: StatusCode,
    form: Form,
    setup: Option<TwoFactorSetup>,
    codes: Vec<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = context.any_user()?;
    let user = context.calls.ask(GetUser { user: caller.id }).await?.ok_or_else(ApiError::unauthorized)?;
    let codes_left = user.security.two_factor.as_ref().map(|factor| factor.recovery_codes.len());
    let factor = Factor { is_on: codes_left.is_some(), codes_left: codes_left.unwrap_or_default(), setup, codes };
    let sessions = sessions::sessions_of(caller, &context.calls).await?.into_iter().map(SessionLine::from).collect();
    let view = SecurityPage { page: context.page("Security"), form, email: user.email, factor, sessions };
    context.html(status, &view)
}

///
/// # Errors
/// 401, 503.
pub async fn show(context: PageContext) -> Result<HttpResponse, ApiError> {
    page(context, StatusCode::OK, Form::default(), None, vec![]).await
}

/// Ends a session.
///
/// # Errors
/// 401, 503.
pub async fn end_session(
    FormRequest { mut context, .. }: FormRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = context.any_user()?;
    match sessions::end(caller, context.state(), &context.calls, &id).await {
        // It has ended meanwhile.
        Ok(()) | Err(ApiError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    context.flash_message("That session has ended.");
    Ok(context.redirect("/account/security"))
}

/// Makes a secret for the authenticator app and shows it.
///
/// # Errors
/// 401, 409, 503.
pub async fn set_up(FormRequest { context, .. }: FormRequest) -> Result<HttpResponse, ApiError> {
    let setup = two_factor::set_up(context.any_user()?, &context.calls).await?;
    page(context, StatusCode::OK, Form::default(), Some(setup), vec![]).await
}

/// Enables the second factor and shows the recovery codes.
///
/// # Errors
/// 401, 429, 503; a wrong code is shown beside its field.
pub async fn enable(
    req: HttpRequest,
    FormRequest { context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.any_user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    let code = SecretString::from(form.text("code"));
    match context.calls.ask(EnableTwoFactor { user, code }).await.map_err(ApiError::from) {
        Ok(codes) => page(context, StatusCode::OK, Form::default(), None, codes).await,
        Err(error) if error.code() == "auth.code_invalid" => {
            form.refuse("code", "this code is not right; enter the one that the app shows now");
            let (secret, otpauth_uri) = (form.text("secret").to_owned(), form.text("uri").to_owned());
            page(context, StatusCode::BAD_REQUEST, form, Some(TwoFactorSetup { secret, otpauth_uri }), vec![]).await
        }
        Err(error) => Err(error),
    }
}

/// Disables the second factor.
///
/// # Errors
/// 401, 429, 503; errors of a field are shown beside it.
pub async fn disable(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.any_user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    if form.text("password").len() > PASSWORD_BYTES_MAX {
        form.refuse("password", "this is not your password");
        return page(context, StatusCode::BAD_REQUEST, form, None, vec![]).await;
    }
    let [password, code] = ["password", "code"].map(|name| SecretString::from(form.text(name)));
    match context.calls.ask(DisableTwoFactor { user, password, code }).await.map_err(ApiError::from) {
        Ok(()) => {
            context.flash_message("Two-factor authentication is off.");
            return Ok(context.redirect("/account/security"));
        }
        Err(error) => match error.code() {
            "auth.wrong_password" => form.refuse("password", "this is not your password"),
            "auth.code_invalid" => form.refuse("code", "this code is not right"),
            _ => return Err(error),
        },
    }
    page(context, StatusCode::BAD_REQUEST, form, None, vec![]).await
}
