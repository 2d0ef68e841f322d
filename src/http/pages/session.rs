//! Signing up, logging in and out.
//!
//! **Invariant:** what a guest had in her cart is in her account's after either, once, and a login
//! leads to nowhere but this shop.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, PostedForm},
    merge,
    page::{NO_COOKIES, Page, escape, local},
};
use crate::{
    actors::accounts::calls::{LogIn, LoginName, Register, RevokeToken},
    domain::{
        Timestamp,
        identity::{PASSWORD_BYTES_MAX, is_email, is_username, login_key, password_length},
        user::{FullName, Role, User},
    },
    http::{auth::AuthUser, auth::TokenSource, error::ApiError, query, tokens},
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
#[template(path = "shop/register.html")]
struct RegisterPage {
    page: Page,
    form: Form,
    next: String,
    problem: String,
}

/// Where to go on, as the query says.
fn next_of(req: &HttpRequest) -> String {
    let pairs = req.query_string().split('&').filter_map(|pair| pair.split_once('='));
    let next = pairs.filter(|(name, _)| *name == "next").find_map(|(_, value)| query::decode(value));
    local(&next.unwrap_or_default()).to_owned()
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

/// The form to log in.
///
/// # Errors
/// 503 while it cannot be known who asks.
pub async fn login_form(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let next = next_of(&req);
    if context.user.is_some() {
        return Ok(context.go(&next));
    }
    let made = req.query_string().split('&').any(|pair| pair == "made=yes");
    let problem = match (context.keeps_no_cookies(), made) {
        (true, true) => format!("Your account is made. {NO_COOKIES}"),
        (true, false) => NO_COOKIES.to_owned(),
        (false, _) => String::new(),
    };
    show_login(context, StatusCode::OK, Form::default(), next, problem)
}

/// The form to sign up.
///
/// # Errors
/// As [`login_form`].
pub async fn register_form(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let next = next_of(&req);
    if context.user.is_some() {
        return Ok(context.go(&next));
    }
    // A link can offer to sell.
    let form = match req.query_string().split('&').any(|pair| pair == "role=seller") {
        true => Form::of([("role", "seller".to_owned())]),
        false => Form::default(),
    };
    show_register(context, StatusCode::OK, form, next, String::new())
}

/// Logs in.
///
/// # Errors
/// 429, 503; a wrong password shows the form again.
pub async fn login(req: HttpRequest, PostedForm { context, mut form }: PostedForm) -> Result<HttpResponse, ApiError> {
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
    context.state().check_auth_rate(&req, Some(&login_key(&name))).await?;
    let name = if name.contains('@') { LoginName::Email(name) } else { LoginName::Username(name) };
    let password = SecretString::from(form.text("password"));
    match context.calls.ask(LogIn { name, password }).await.map_err(ApiError::from) {
        Ok(user) => begin(context, &user, &next, "Welcome back", false).await,
        Err(ApiError::Unauthorized { .. }) => {
            let problem = "The e-mail address or the password is not right.".to_owned();
            show_login(context, StatusCode::UNAUTHORIZED, form, next, problem)
        }
        Err(error) => Err(error),
    }
}

/// Signs up.
///
/// # Errors
/// 429, 503; what is wrong with a field is shown beside it.
pub async fn register(
    req: HttpRequest,
    PostedForm { context, mut form }: PostedForm,
) -> Result<HttpResponse, ApiError> {
    let next = local(form.text("next")).to_owned();
    let account = account_of(&mut form);
    if !form.is_fine() {
        return show_register(context, StatusCode::BAD_REQUEST, form, next, String::new());
    }
    context.state().check_auth_rate(&req, Some(&login_key(&account.email))).await?;
    let refused = match context.calls.ask(account).await.map_err(ApiError::from) {
        Ok(user) => return begin(context, &user, &next, "Welcome to microBazaar", true).await,
        Err(refused) => refused,
    };
    if refused.code() == "auth.user_exists" {
        let problem = "This e-mail address or user name is taken. Log in, or choose another.".to_owned();
        return show_register(context, StatusCode::BAD_REQUEST, form, next, problem);
    }
    form.take(refused, field)?;
    show_register(context, StatusCode::BAD_REQUEST, form, next, String::new())
}

/// A service's field as the form names it.
fn field(path: &str) -> String {
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
    // As sent: the service trims them, and tells what cannot be seen.
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
    Register { email, username, full_name, role, password: SecretString::from(password) }
}

/// Gives the browser a session, and takes its guest's cart over.
async fn begin(
    mut context: PageContext,
    user: &User,
    next: &str,
    greeting: &str,
    is_made: bool,
) -> Result<HttpResponse, ApiError> {
    let issued = context.state().tokens.issue(user.id, user.role, Timestamp::now());
    let (token, claims) = issued.map_err(|error| ApiError::Internal(error.to_string()))?;
    context.set_cookie(tokens::cookie(&token, context.state().settings.production));
    context.user =
        Some(AuthUser { id: user.id, role: user.role, jti: claims.jti, exp: claims.exp, source: TokenSource::Cookie });
    let left_out = merge::take_over(&mut context).await;
    let kept = context.welcome_back();
    match left_out.as_slice() {
        [] => context.say(format!("{greeting}.{kept}")),
        some => {
            context
                .warn(format!("{greeting}.{kept} Less of this is in stock than you had chosen: {}.", some.join(", ")));
        }
    }
    if user.email_taken_by.is_some() {
        context.warn("Your e-mail address is also that of an older account, which keeps it. Please give another one.");
        return Ok(context.go("/account"));
    }
    let home = if user.role == Role::Seller && next == "/" { "/seller" } else { next };
    if context.is_new {
        // The page after this one sees whether the browser has brought the session back.
        let made = if is_made { "&made=yes" } else { "" };
        return Ok(context.go(&format!("/login?cookies=check{made}&next={}", escape(home))));
    }
    Ok(context.go(home))
}

/// Logs out; the token is dead from then on.
///
/// # Errors
/// 503 when that cannot be kept.
pub async fn logout(PostedForm { mut context, .. }: PostedForm) -> Result<HttpResponse, ApiError> {
    if let Some(user) = context.user.take() {
        let expires_at = Timestamp::from_second(user.exp).unwrap_or(Timestamp::MAX);
        context.calls.ask(RevokeToken { jti: user.jti.clone(), expires_at }).await?;
        context.state().dead_tokens.revoke(&user.jti, user.exp, Timestamp::now()).await;
    }
    context.set_cookie(tokens::removal_cookie(context.state().settings.production));
    context.forget();
    context.say("You are logged out.");
    Ok(context.go("/"))
}
