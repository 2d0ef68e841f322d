//! The second factor of a login.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::session;
use crate::{
    actors::{
        accounts::{
            calls::GetUser,
            two_factor::{DisableTwoFactor, EnableTwoFactor, LogInWithCode, SetUpTwoFactor},
        },
        tokens::user_of_mailed,
    },
    domain::{Timestamp, identity::PASSWORD_BYTES_MAX, ids::UserId, user::User},
    http::{
        audit,
        auth::AuthUser,
        error::{ApiError, ErrorBody},
        extract::{Json, SMALL_BODY_MAX},
        pages::page::escape,
        state::State,
    },
    runtime::calls::Calls,
    views::user::{MessageAnswer, SessionAnswer},
};

/// The shop's name in authenticator apps.
const ISSUER: &str = "microBazaar";
/// The longest code that is read, in bytes.
pub const CODE_MAX: usize = 64;

/// The answer to a login with the right password, where a code is needed as well. The document only describes it in
/// words: with a union as the answer, typed clients could not read a token without asking which one it is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeNeededAnswer {
    two_factor_required: bool,
    ticket: String,
}

impl CodeNeededAnswer {
    pub(super) fn new(ticket: &SecretString) -> Self {
        Self { two_factor_required: true, ticket: ticket.expose_secret().to_owned() }
    }
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct LoginCodeBody {
    /// From the answer to the login.
    #[garde(length(max = 64))]
    #[schema(example = "665f1f77bcf86cd7994390119f86d081884c7d659a2feaa0c55ad015")]
    ticket: String,
    /// Six digits of the app, or a recovery code.
    #[garde(length(max = CODE_MAX))]
    #[schema(example = "287082")]
    code: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct CodeBody {
    /// Six digits of the app.
    #[garde(length(max = CODE_MAX))]
    #[schema(example = "287082")]
    code: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct DisableTwoFactorBody {
    /// The user's password.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "correct horse")]
    password: String,
    /// Six digits of the app, or a recovery code.
    #[garde(length(max = CODE_MAX))]
    #[schema(example = "287082")]
    code: String,
}

/// `{secret, otpauthUri}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TwoFactorSetup {
    /// In base 32, to type into an app.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: String,
    /// The same as an address that apps open or scan.
    #[schema(
        example = "otpauth://totp/microBazaar:asha%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=microBazaar"
    )]
    pub otpauth_uri: String,
}

/// `{recoveryCodes}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodesAnswer {
    /// Ten codes, each good for one login without the app; they are not shown again.
    recovery_codes: Vec<String>,
}

/// Makes a secret for the user's authenticator app.
///
/// # Errors
/// 409 when the second factor is on; 503.
pub async fn set_up(user: &AuthUser, calls: &Calls) -> Result<TwoFactorSetup, ApiError> {
    let account = calls.ask(GetUser { user: user.id }).await?.ok_or_else(ApiError::unauthorized)?;
    let secret = calls.ask(SetUpTwoFactor { user: user.id }).await?;
    let (label, issuer) = (escape(&account.email), escape(ISSUER));
    let otpauth_uri =
        format!("otpauth://totp/{issuer}:{label}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30");
    Ok(TwoFactorSetup { secret, otpauth_uri })
}

/// Finishes a login with a code of the authenticator app, or with a recovery code.
#[utoipa::path(
    tag = "auth",
    operation_id = "logInWithCode",
    request_body = LoginCodeBody,
    responses(
        (status = 200, description = "Logged in; the token is also a cookie", body = SessionAnswer, headers(("Set-Cookie" = String, description = "`token`, HttpOnly"))),
        (status = 401, description = "`auth.code_invalid`: the code is wrong or was used, or the ticket has ended", body = ErrorBody, example = json!({
            "message": "the code is not right", "code": "auth.code_invalid", "requestId": "9f86d081884c7d65"
        })),
        (status = 403, description = "`auth.blocked`: an admin has blocked the account", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/login/2fa")]
pub async fn log_in_with_code(
    req: HttpRequest,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<LoginCodeBody, SMALL_BODY_MAX>,
) -> Result<HttpResponse, ApiError> {
    let at = Timestamp::now();
    let user = try_code(&req, &state, &calls, &body.ticket, &body.code).await?;
    session(&req, &state, &calls, &user, at, "Logged in", HttpResponse::Ok()).await
}

/// Tries a code with the ticket of a login.
///
/// # Errors
/// 401 `auth.code_invalid`, 403 `auth.blocked`, 429, 503.
pub async fn try_code(
    req: &HttpRequest,
    state: &State,
    calls: &Calls,
    ticket: &str,
    code: &str,
) -> Result<User, ApiError> {
    let user = user_of_mailed(ticket).map(UserId::to_hex);
    state.check_auth_rate(req, user.as_deref()).await?;
    let log_in = LogInWithCode { ticket: SecretString::from(ticket), code: SecretString::from(code) };
    let user = calls.ask(log_in).await.map_err(ApiError::from).map_err(|error| match error.code() {
        "auth.code_invalid" => ApiError::Unauthorized { code: "auth.code_invalid", message: "the code is not right" },
        _ => error,
    });
    audit::login(req, user.as_ref().map(|user| user.id));
    user
}

/// Makes a secret for the user's authenticator app. It has no effect before a code of the app enables it.
#[utoipa::path(
    tag = "auth",
    operation_id = "setUpTwoFactor",
    responses(
        (status = 200, description = "The secret", body = TwoFactorSetup),
        (status = 409, description = "`auth.two_factor_on`: it is on already", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/2fa/setup")]
pub async fn set_up_two_factor(user: AuthUser, calls: Data<Calls>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(set_up(&user, &calls).await?))
}

/// Enables the second factor with a code of the app.
#[utoipa::path(
    tag = "auth",
    operation_id = "enableTwoFactor",
    request_body = CodeBody,
    responses(
        (status = 200, description = "It is on; the codes are not shown again", body = RecoveryCodesAnswer),
        (status = 400, description = "`auth.code_invalid`", body = ErrorBody),
        (status = 409, description = "`auth.two_factor_on`: it is on already", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/2fa/enable")]
pub async fn enable_two_factor(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<CodeBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    let recovery_codes = calls.ask(EnableTwoFactor { user: user.id, code: SecretString::from(body.code) }).await?;
    Ok(HttpResponse::Ok().json(RecoveryCodesAnswer { recovery_codes }))
}

/// Disables the second factor.
#[utoipa::path(
    tag = "auth",
    operation_id = "disableTwoFactor",
    request_body = DisableTwoFactorBody,
    responses(
        (status = 200, description = "It is off", body = MessageAnswer),
        (status = 400, description = "`auth.wrong_password` or `auth.code_invalid`", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/2fa/disable")]
pub async fn disable_two_factor(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<DisableTwoFactorBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    let (password, code) = (SecretString::from(body.password), SecretString::from(body.code));
    calls.ask(DisableTwoFactor { user: user.id, password, code }).await?;
    Ok(HttpResponse::Ok().json(MessageAnswer { message: "Two-factor authentication is off".to_owned() }))
}
