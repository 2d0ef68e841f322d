//! Accounts, sessions and addresses.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LOCATION, post, web::Data};
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::two_factor::CodeNeededAnswer;
use crate::{
    actors::{
        accounts::calls::{AddAddress, GetAddresses, GetUser, LogIn, LoggedIn, LoginName, Register, RemoveAddress},
        tokens,
    },
    domain::{
        Timestamp,
        identity::{PASSWORD_BYTES_MAX, password_length},
        ids::AddressId,
        user::{FullName, PostalAddress, Role, User},
    },
    http::{
        audit,
        auth::{AuthUser, CLEAR_SITE_DATA, CLEARED, MaybeUser, TokenSource, token_of},
        csrf,
        error::ApiError,
        extract::{Json, PathId, SMALL_BODY_MAX},
        sessions,
        state::State,
    },
    runtime::calls::Calls,
    views::user::{AddressesView, MessageAnswer, SessionAnswer, UserAnswer, UserView},
};

/// The roles that can be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegisterRole {
    /// A buyer.
    User,
    /// A seller.
    Seller,
}

#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FullNameBody {
    /// Given name.
    #[serde(default)]
    #[garde(length(chars, max = 100))]
    #[schema(example = "Asha", max_length = 100)]
    first_name: String,
    /// Family name.
    #[serde(default)]
    #[garde(length(chars, max = 100))]
    #[schema(example = "Rao", max_length = 100)]
    last_name: String,
}

impl From<FullNameBody> for FullName {
    fn from(name: FullNameBody) -> Self {
        Self { first_name: name.first_name, last_name: name.last_name }
    }
}

/// The body of a registration.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterBody {
    /// E-mail address, unique.
    #[garde(skip)]
    #[schema(example = "asha@example.com")]
    email: String,
    /// 8 to 128 characters, counted in NFC.
    #[garde(custom(password_fits))]
    #[schema(example = "correct horse", min_length = 8, max_length = 128)]
    password: String,
    /// 3 to 32 of letters, digits, `_`, `.` and `-`, unique; derived from the e-mail address when absent.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "asha")]
    username: Option<String>,
    /// Name.
    #[serde(default)]
    #[garde(dive)]
    full_name: Option<FullNameBody>,
    /// `user` when absent.
    #[serde(default)]
    #[garde(skip)]
    role: Option<RegisterRole>,
}

fn password_fits(password: &str, _: &()) -> garde::Result {
    if (8..=128).contains(&password_length(password)) {
        return Ok(());
    }
    Err(garde::Error::new("must be 8 to 128 characters"))
}

/// The body of a login.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct LoginBody {
    /// E-mail address, or else `username`.
    #[serde(default)]
    #[garde(inner(length(max = 320)))]
    #[schema(example = "asha@example.com")]
    email: Option<String>,
    /// User name, or else `email`.
    #[serde(default)]
    #[garde(inner(length(max = 320)))]
    username: Option<String>,
    /// Password.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "correct horse")]
    password: String,
}

/// An address to save. Whether `city`, `state` and `zip` are needed, and their format, depends on the country.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressBody {
    /// The recipient.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "Asha Rao", max_length = 200)]
    full_name: Option<String>,
    /// The phone number for the carrier: 5 to 20 digits, optionally with a leading plus and separators.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "+91 98765 43210", max_length = 40)]
    phone: Option<String>,
    /// Street and number.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "12 Lake Road", max_length = 200, required = true)]
    street: String,
    /// City.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "Pune", max_length = 200)]
    city: Option<String>,
    /// State or province: its ISO 3166-2 code, or its name.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "MH", max_length = 200)]
    state: Option<String>,
    /// Country: its ISO code, or its English name.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "IN", max_length = 200, required = true)]
    country: String,
    /// Postal code.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "411001", max_length = 200)]
    zip: Option<String>,
    /// Whether orders without an address go here; the first address is always the default.
    #[serde(default)]
    #[garde(skip)]
    is_default: Option<bool>,
}

pub(super) async fn session(
    req: &HttpRequest,
    state: &State,
    calls: &Calls,
    user: &User,
    at: Timestamp,
    message: &'static str,
    mut answer: actix_web::HttpResponseBuilder,
) -> Result<HttpResponse, ApiError> {
    let (token, _, cookie) = sessions::begin(req, state, calls, user, at).await?;
    answer.cookie(cookie).cookie(state.remember_login(req, user));
    Ok(answer.json(SessionAnswer { message: message.to_owned(), user: UserView::from(user), token }))
}

/// Registers a user or a seller and logs them in.
#[utoipa::path(
    tag = "auth",
    operation_id = "register",
    request_body = RegisterBody,
    responses(
        (status = 201, description = "Registered and logged in; the token is also a cookie", body = SessionAnswer, headers(("Set-Cookie" = String, description = "`token`, HttpOnly"))),
        (status = 400, description = "Invalid, or `User already exists`", body = crate::http::error::ErrorBody, example = json!({
            "message": "User already exists", "code": "auth.user_exists", "requestId": "9f86d081884c7d65"
        })),
        (status = 429, description = "Too many tries; see Retry-After", body = crate::http::error::ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/register")]
pub async fn register(
    req: HttpRequest,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<RegisterBody, SMALL_BODY_MAX>,
) -> Result<HttpResponse, ApiError> {
    let source = state.admit_login(&req, &body.email).await?;
    let role = match body.role {
        Some(RegisterRole::Seller) => Role::Seller,
        Some(RegisterRole::User) | None => Role::User,
    };
    let account = Register {
        email: body.email,
        username: body.username,
        full_name: body.full_name.unwrap_or_default().into(),
        role,
        password: SecretString::from(body.password),
        source,
    };
    let at = Timestamp::now();
    let user = calls.ask(account).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((LOCATION, "/api/auth/me"));
    session(&req, &state, &calls, &user, at, "User registered", answer).await
}

/// Logs in by e-mail or user name.
#[utoipa::path(
    tag = "auth",
    operation_id = "login",
    request_body = LoginBody,
    responses(
        (status = 200, description = "Logged in; the token is also a cookie. Where the user has a second factor: `{twoFactorRequired: true, ticket}` and no token; the ticket and a code go to `/api/auth/login/2fa`", body = SessionAnswer, headers(("Set-Cookie" = String, description = "`token`, HttpOnly"))),
        (status = 401, description = "`Invalid credentials`", body = crate::http::error::ErrorBody, example = json!({
            "message": "Invalid credentials", "code": "auth.bad_credentials", "requestId": "9f86d081884c7d65"
        })),
        (status = 403, description = "`auth.blocked`: an admin has blocked the account", body = crate::http::error::ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = crate::http::error::ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/login")]
pub async fn login(
    req: HttpRequest,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<LoginBody, SMALL_BODY_MAX>,
) -> Result<HttpResponse, ApiError> {
    let (name, account) = match (body.email, body.username) {
        (Some(email), _) => (LoginName::Email(email.clone()), email),
        (None, Some(username)) => (LoginName::Username(username.clone()), username),
        (None, None) => return Err(ApiError::field("email", "is required, or username is")),
    };
    let source = state.admit_login(&req, &account).await?;
    let at = Timestamp::now();
    let logged_in = calls.ask(LogIn { name, password: SecretString::from(body.password), source }).await;
    let logged_in = logged_in.map_err(ApiError::from);
    audit::login(&req, logged_in.as_ref().map(LoggedIn::user));
    match logged_in? {
        LoggedIn::User(user) => session(&req, &state, &calls, &user, at, "Logged in", HttpResponse::Ok()).await,
        LoggedIn::CodeNeeded { ticket, .. } => Ok(HttpResponse::Ok().json(CodeNeededAnswer::new(&ticket))),
    }
}

/// The user of the token.
#[utoipa::path(
    tag = "auth",
    operation_id = "getMe",
    responses((status = 200, description = "The user", body = UserAnswer)),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[get("/api/auth/me")]
pub async fn me(user: AuthUser, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    let user = calls.ask(GetUser { user: user.id }).await?.ok_or_else(ApiError::unauthorized)?;
    Ok(HttpResponse::Ok().json(UserAnswer { user: UserView::from(&user) }))
}

async fn log_out(req: &HttpRequest, user: MaybeUser, state: &State, calls: &Calls) -> Result<HttpResponse, ApiError> {
    if let Some(user) = user.0 {
        sessions::end(state, calls, &user.jti, user.exp).await?;
    }
    let mut answer = HttpResponse::Ok();
    answer.cookie(tokens::removal_cookie(state.settings.production));
    // A client with a Bearer token may run in a browser in which somebody else is logged in.
    if matches!(token_of(req), Some((_, TokenSource::Cookie))) {
        answer.insert_header((CLEAR_SITE_DATA, CLEARED));
    }
    Ok(answer.json(MessageAnswer { message: "Logged out".to_owned() }))
}

/// Revokes the token, if there is one.
#[utoipa::path(
    tag = "auth",
    operation_id = "logoutByGet",
    responses((status = 200, description = "Logged out; the token is revoked", body = MessageAnswer)),
    security(())
)]
#[get("/api/auth/logout")]
pub async fn logout_by_get(
    req: HttpRequest,
    user: MaybeUser,
    state: Data<State>,
    calls: Data<Calls>,
) -> Result<HttpResponse, ApiError> {
    csrf::check_logout(&req)?;
    log_out(&req, user, &state, &calls).await
}

/// Revokes the token, if there is one.
#[utoipa::path(
    tag = "auth",
    operation_id = "logout",
    responses((status = 200, description = "Logged out; the token is revoked", body = MessageAnswer)),
    security(())
)]
#[post("/api/auth/logout")]
pub async fn logout_by_post(
    req: HttpRequest,
    user: MaybeUser,
    state: Data<State>,
    calls: Data<Calls>,
) -> Result<HttpResponse, ApiError> {
    if user.0.as_ref().is_some_and(|user| user.source == TokenSource::Cookie) {
        csrf::check(&req, &state.settings.origins)?;
    }
    log_out(&req, user, &state, &calls).await
}

/// Saves an address.
#[utoipa::path(
    tag = "auth",
    operation_id = "addAddress",
    request_body = AddressBody,
    responses(
        (status = 201, description = "All addresses of the user", body = AddressesView),
        (status = 400, description = "A line is missing, or too long", body = crate::http::error::ErrorBody),
        (status = 422, description = "`auth.bad_address`: there is no such country, state or postal code", body = crate::http::error::ErrorBody, example = json!({
            "message": "nothing can be sent to this address", "code": "auth.bad_address", "requestId": "9f86d081884c7d65",
            "errors": [{"path": "zip", "msg": "is not a postal code of India; one looks like 110034"}]
        })),
        (status = 409, description = "There are as many addresses as one user may have", body = crate::http::error::ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/users/me/addresses")]
pub async fn add_address(
    user: AuthUser,
    calls: Data<Calls>,
    Json(body): Json<AddressBody>,
) -> Result<HttpResponse, ApiError> {
    let AddressBody { full_name, phone, street, city, state, country, zip, is_default } = body;
    let [city, state, zip] = [city, state, zip].map(Option::unwrap_or_default);
    let postal = PostalAddress { full_name, phone, street, city, state, country, zip };
    let postal = postal.settled().map_err(|problems| ApiError::of_address(&problems))?;
    let kept = calls.ask(AddAddress { user: user.id, postal, is_default: is_default.unwrap_or(false) }).await?;
    let location = (LOCATION, "/api/auth/users/me/addresses");
    Ok(HttpResponse::Created().insert_header(location).json(AddressesView::from(kept.as_slice())))
}

/// The user's addresses.
#[utoipa::path(
    tag = "auth",
    operation_id = "listAddresses",
    responses((status = 200, description = "All addresses of the user", body = AddressesView)),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[get("/api/auth/users/me/addresses")]
pub async fn list_addresses(user: AuthUser, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    let kept = calls.ask(GetAddresses { user: user.id }).await?;
    Ok(HttpResponse::Ok().json(AddressesView::from(kept.as_slice())))
}

/// Removes an address.
#[utoipa::path(
    tag = "auth",
    operation_id = "removeAddress",
    params(("addressId" = String, Path, description = "The address")),
    responses(
        (status = 200, description = "The addresses that are left", body = AddressesView),
        (status = 404, description = "No such address", body = crate::http::error::ErrorBody),
    )
)]
#[delete("/api/auth/users/me/addresses/{addressId}")]
pub async fn remove_address(
    user: AuthUser,
    calls: Data<Calls>,
    PathId(address): PathId<AddressId>,
) -> Result<HttpResponse, ApiError> {
    let kept = calls.ask(RemoveAddress { user: user.id, address }).await?;
    Ok(HttpResponse::Ok().json(AddressesView::from(kept.as_slice())))
}
