//! Registration, login and logout.
//!
//! **Invariant:** after a registration or login the guest's cart is merged into the account once, and the redirect
//! stays within this shop.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;
use secrecy::{ExposeSecret, SecretString};

use super::{
    context::PageContext,
    form::{Form, FormRequest},
    page::{NO_COOKIES, Page, escape, local},
};
use crate::{
    actors::accounts::calls::{LogIn, LoggedIn, LoginName, Register, Source},
    domain::{
        Timestamp,
        identity::{PASSWORD_BYTES_MAX, is_email, is_username, password_length},
        user::{FullName, Role, User},
    },
    http::{
        audit,
        auth::{CLEAR_SITE_DATA, STORAGE_CLEARED},
        error::ApiError,
        features::FEATURES,
        query,
        routes::two_factor::try_code,
        sessions,
    },
};

#[derive(Template)]
#[template(path = "shop/login.html")]
struct LoginPage {
    page: Page,
    form: Form,
    next: String,
    problem: String,
}

#[derive(Template)]
#[template(path = "shop/login_code.html")]
struct LoginCodePage {
    page: Page,
    form: Form,
    ticket: String,
    next: String,
}

#[derive(Template)]
#[template(path = "shop/register.html")]
struct RegisterPage {
    page: Page,
    form: Form,
    next: String,
    problem: String,
}

/// The path to redirect to, from the query.
fn next_of(req: &HttpRequest) -> String {
    local(&query::value(req.query_string(), "next").unwrap_or_default()).to_owned()
}

fn show_login(
    context: PageContext,
    status: StatusCode,
    form: Form,
    next: String,
    problem: String,
) -> Result<HttpResponse, ApiError> {
    let page = LoginPage { page: context.page("Log in"), form, next, problem };
    context.html(status, &page)
}

fn show_register(
    context: PageContext,
    status: StatusCode,
    form: Form,
    next: String,
    problem: String,
) -> Result<HttpResponse, ApiError> {
    let page = RegisterPage { page: context.page("Sign up"), form, next, problem };
    context.html(status, &page)
}

///
/// # Errors
///
/// 503 while it cannot be checked who is logged in.
pub async fn login_form(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let next = next_of(&req);
    if context.user.is_some() {
        return Ok(context.redirect(&next));
    }
    let made = query::value(req.query_string(), "made");
    let problem = match (context.keeps_no_cookies(), made.as_deref() == Some("yes")) {
        (true, true) => format!("Your account is made. {NO_COOKIES}"),
        (true, false) => NO_COOKIES.to_owned(),
        (false, _) => String::new(),
    };
    show_login(context, StatusCode::OK, Form::default(), next, problem)
}

///
/// # Errors
/// As [`login_form`].
pub async fn register_form(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let next = next_of(&req);
    if context.user.is_some() {
        return Ok(context.redirect(&next));
    }
    // A link can preselect the seller's role.
    let form = match query::value(req.query_string(), "role").as_deref() {
        Some("seller") => Form::of([("role", "seller".to_owned())]),
        _ => Form::default(),
    };
    show_register(context, StatusCode::OK, form, next, String::new())
}

///
/// # Errors
/// 429, 503; a wrong password shows the form again.
pub async fn login(req: HttpRequest, FormRequest { context, mut form }: FormRequest) -> Result<HttpResponse, ApiError> {
    let next = local(form.text("next")).to_owned();
    let name = form.typed("email").to_owned();
    if name.is_empty() {
        form.refuse("email", "enter your e-mail address or user name");
    }
    if form.text("password").is_empty() {
        form.refuse("password", "enter your password");
    }
    if name.len() > 320 || form.text("password").len() > PASSWORD_BYTES_MAX {
        form.refuse("email", "is too long");
    }
    if !form.is_fine() {
        return show_login(context, StatusCode::BAD_REQUEST, form, next, String::new());
    }
    let source = context.state().admit_login(&req, &name).await?;
    let name = if name.contains('@') { LoginName::Email(name) } else { LoginName::Username(name) };
    let password = SecretString::from(form.text("password"));
    let at = Timestamp::now();
    let logged_in = context.calls.ask(LogIn { name, password, source }).await.map_err(ApiError::from);
    audit::login(&req, logged_in.as_ref().map(LoggedIn::user));
    match logged_in {
        Ok(LoggedIn::User(user)) => begin(&req, context, &user, at, &next, "Welcome back", false).await,
        Ok(LoggedIn::CodeNeeded { ticket, .. }) => {
            let ticket = ticket.expose_secret().to_owned();
            show_code(context, StatusCode::OK, Form::default(), ticket, next)
        }
        Err(ApiError::Unauthorized { .. }) => {
            let problem = "The e-mail address or the password is not right.".to_owned();
            show_login(context, StatusCode::UNAUTHORIZED, form, next, problem)
        }
        Err(error) => Err(error),
    }
}

fn show_code(
    context: PageContext,
    status: StatusCode,
    form: Form,
    ticket: String,
    next: String,
) -> Result<HttpResponse, ApiError> {
    let page = LoginCodePage { page: context.page("Log in"), form, ticket, next };
    context.html(status, &page)
}

/// Finishes a login with a code of the second factor.
///
/// # Errors
/// 403 when the user is blocked, 429, 503; a wrong code shows the form again.
pub async fn login_code(
    req: HttpRequest,
    FormRequest { context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let (next, ticket) = (local(form.text("next")).to_owned(), form.text("ticket").to_owned());
    let at = Timestamp::now();
    match try_code(&req, context.state(), &context.calls, &ticket, form.text("code")).await {
        Ok(user) => begin(&req, context, &user, at, &next, "Welcome back", false).await,
        Err(ApiError::Unauthorized { .. }) => {
            form.refuse(
                "code",
                "this code is not right, or the login took too long; enter the next one, or start again",
            );
            show_code(context, StatusCode::UNAUTHORIZED, form, ticket, next)
        }
        Err(error) => Err(error),
    }
}

/// Registers an account.
///
/// # Errors
///
/// 429, 503; errors of a field are shown beside it.
pub async fn register(
    req: HttpRequest,
    FormRequest { context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let next = local(form.text("next")).to_owned();
    let mut account = account_of(&mut form);
    if !form.is_fine() {
        return show_register(context, StatusCode::BAD_REQUEST, form, next, String::new());
    }
    account.source = context.state().admit_login(&req, &account.email).await?;
    let at = Timestamp::now();
    let refused = match context.calls.ask(account).await.map_err(ApiError::from) {
        Ok(user) => return begin(&req, context, &user, at, &next, "Welcome to microBazaar", true).await,
        Err(refused) => refused,
    };
    if refused.code() == "auth.user_exists" {
        let problem = "This e-mail address or user name is taken. Log in, or choose another.".to_owned();
        return show_register(context, StatusCode::BAD_REQUEST, form, next, problem);
    }
    form.take(refused, field)?;
    show_register(context, StatusCode::BAD_REQUEST, form, next, String::new())
}

/// The form's name for a service's field.
pub(super) fn field(path: &str) -> String {
    match path {
        "fullName.firstName" => "first_name",
        "fullName.lastName" => "last_name",
        other => other,
    }
    .to_owned()
}

fn account_of(form: &mut Form) -> Register {
    let text = |name: &str| form.text(name).to_owned();
    let (email, username) = (form.typed("email").to_owned(), form.typed("username").to_owned());
    // As sent: the service trims them and reports invisible text.
    let full_name = FullName { first_name: text("first_name"), last_name: text("last_name") };
    let role = if form.text("role") == "seller" { Role::Seller } else { Role::User };
    let password = form.text("password").to_owned();
    if !is_email(&email) {
        form.refuse("email", "enter an e-mail address, like name@example.com");
    }
    if !username.is_empty() && !is_username(&username) {
        form.refuse("username", "use 3 to 32 letters, digits, dots, dashes or underscores");
    }
    for (name, value) in [("first_name", &full_name.first_name), ("last_name", &full_name.last_name)] {
        if value.chars().count() > 100 {
            form.refuse(name, "use at most 100 characters");
        }
    }
    match password_length(&password) {
        0..=7 => form.refuse("password", "use at least 8 characters"),
        8..=128 => {}
        _ => form.refuse("password", "use at most 128 characters"),
    }
    let username = (!username.is_empty()).then_some(username);
    Register { email, username, full_name, role, password: SecretString::from(password), source: Source::default() }
}

/// Starts a session in the browser and merges the guest's cart.
async fn begin(
    req: &HttpRequest,
    mut context: PageContext,
    user: &User,
    at: Timestamp,
    next: &str,
    greeting: &str,
    is_made: bool,
) -> Result<HttpResponse, ApiError> {
    context.renew_session(user, at).await?;
    context.set_cookie(context.state().remember_login(req, user));
    let mut problems = vec![];
    for feature in FEATURES {
        problems.extend(feature.merge_guest(&mut context).await);
    }
    let kept = context.saved_forms_message();
    match problems.as_slice() {
        [] => context.flash_message(format!("{greeting}.{kept}")),
        problems => context.flash_error(format!("{greeting}.{kept} {}", problems.join(" "))),
    }
    if user.email_taken_by.is_some() {
        context.flash_error(
            "Your e-mail address is also that of an older account, which keeps it. Please give another one.",
        );
        return Ok(context.redirect("/account"));
    }
    let home = if user.role == Role::Seller && next == "/" { "/seller" } else { next };
    if context.is_new {
        // The next page shows whether the browser stores the session's cookie.
        let made = if is_made { "&made=yes" } else { "" };
        return Ok(context.redirect(&format!("/login?cookies=check{made}&next={}", escape(home))));
    }
    Ok(context.redirect(home))
}

/// Logs out; the token is invalid from then on.
///
/// # Errors
///
/// 503 when the logout cannot be stored.
pub async fn logout(FormRequest { mut context, .. }: FormRequest) -> Result<HttpResponse, ApiError> {
    if let Some(user) = context.user.take() {
        sessions::end(context.state(), &context.calls, &user.jti, user.exp).await?;
    }
    context.forget_user();
    context.flash_message("You are logged out.");
    let mut answer = context.redirect("/");
    answer.headers_mut().insert(CLEAR_SITE_DATA, STORAGE_CLEARED);
    Ok(answer)
}
