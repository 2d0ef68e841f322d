//! Changing an account, and what follows from mailed links.

use actix_web::{HttpRequest, HttpResponse, patch, post, web::Data};
use garde::Validate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{accounts::FullNameBody, two_factor::CODE_MAX};
use crate::{
    actors::accounts::{
        calls::GetAddresses,
        credentials::{
            ChangeEmail, ChangePassword, ChangeProfile, ConfirmEmail, Confirmed, RequestPasswordReset, ResetPassword,
            SendConfirmation, UpdateAddress,
        },
    },
    domain::{
        Timestamp,
        identity::{PASSWORD_BYTES_MAX, login_key},
        ids::AddressId,
        user::{FullName, PostalAddress, User, UserError},
    },
    http::{
        auth::{AuthUser, MaybeUser},
        error::{ApiError, ErrorBody},
        extract::{Json, PathId},
        sessions,
        state::State,
    },
    runtime::calls::Calls,
    views::user::{AddressesView, MessageAnswer, UserAnswer, UserView},
};

/// What is answered to everybody who asks for a link to reset a password.
pub const RESET_MAILED: &str = "If there is an account with this address, a mail with a link is on its way";

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct ForgotPasswordBody {
    #[garde(length(min = 1, max = 320))]
    #[schema(example = "asha@example.com", max_length = 320)]
    email: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct ResetPasswordBody {
    /// The token of the mailed link.
    #[garde(length(max = 1024))]
    #[schema(example = "665f1f77bcf86cd7994390119f86d081884c7d659a2feaa0c55ad015")]
    token: String,
    /// The new password: 8 to 128 characters, none of the most common ones and no name or address of the user.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "battery staple", min_length = 8, max_length = 128)]
    password: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangePasswordBody {
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "correct horse")]
    current_password: String,
    /// As at registration.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "battery staple", min_length = 8, max_length = 128)]
    new_password: String,
}

/// What is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileBody {
    #[serde(default)]
    #[garde(dive)]
    full_name: Option<FullNameBody>,
    /// 3 to 32 of letters, digits, `_`, `.` and `-`, unique.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "asha")]
    username: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct MailedTokenBody {
    /// The token of the mailed link.
    #[garde(length(max = 1024))]
    #[schema(example = "665f1f77bcf86cd7994390119f86d081884c7d659a2feaa0c55ad015")]
    token: String,
}

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct ChangeEmailBody {
    #[garde(length(min = 1, max = 320))]
    #[schema(example = "asha.rao@example.com", max_length = 320)]
    email: String,
    /// The user's password.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "correct horse")]
    password: String,
    /// Of the second factor, where it is on.
    #[serde(default)]
    #[garde(inner(length(max = CODE_MAX)))]
    #[schema(example = "287082")]
    code: Option<String>,
}

/// Lines of an address to change; what is absent stays, and an empty text removes a line that may be missing.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct AddressChangeBody {
    #[schema(example = "Asha Rao", max_length = 200)]
    full_name: Option<String>,
    #[schema(example = "+91 98765 43210", max_length = 40)]
    phone: Option<String>,
    #[schema(example = "12 Lake Road", max_length = 200)]
    street: Option<String>,
    #[schema(example = "Pune", max_length = 200)]
    city: Option<String>,
    #[schema(example = "MH", max_length = 200)]
    state: Option<String>,
    #[schema(example = "IN", max_length = 200)]
    country: Option<String>,
    #[schema(example = "411001", max_length = 200)]
    zip: Option<String>,
    /// Makes it the default; the default stays so when this is false.
    is_default: Option<bool>,
}

impl AddressChangeBody {
    fn applied_to(self, postal: PostalAddress) -> PostalAddress {
        let optional = |new: Option<String>, old: Option<String>| match new {
            Some(new) => Some(new).filter(|new| !new.trim().is_empty()),
            None => old,
        };
        PostalAddress {
            full_name: optional(self.full_name, postal.full_name),
            phone: optional(self.phone, postal.phone),
            street: self.street.unwrap_or(postal.street),
            city: self.city.unwrap_or(postal.city),
            state: self.state.unwrap_or(postal.state),
            country: self.country.unwrap_or(postal.country),
            zip: self.zip.unwrap_or(postal.zip),
        }
    }
}

/// `{message, token}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenAnswer {
    /// What was done.
    #[schema(example = "Password changed")]
    message: String,
    /// The user's only valid token; also a cookie.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.e30.sig")]
    token: String,
}

/// Ends the tokens of a user on every node, after the account service has stored that they ended.
pub async fn end_tokens(state: &State, user: &User) {
    if let Some(from) = user.security.tokens_from {
        state.dead_tokens.end_tokens(&user.id.to_hex(), from).await;
    }
}

fn message(text: &str) -> MessageAnswer {
    MessageAnswer { message: text.to_owned() }
}

/// Mails a link to set a new password, if a user has this e-mail address; the answer does not tell. The link is good
/// once, for 30 minutes, until another one is asked for.
#[utoipa::path(
    tag = "auth",
    operation_id = "forgotPassword",
    request_body = ForgotPasswordBody,
    responses(
        (status = 202, description = "A mail is on its way if there is such a user", body = MessageAnswer),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/password/forgot")]
pub async fn forgot_password(
    req: HttpRequest,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<ForgotPasswordBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&login_key(&body.email))).await?;
    calls.ask(RequestPasswordReset { email: body.email }).await?;
    Ok(HttpResponse::Accepted().json(message(RESET_MAILED)))
}

/// Sets a new password with the token of a mailed link. Every token of the user ends. A password that is refused leaves
/// the link valid.
#[utoipa::path(
    tag = "auth",
    operation_id = "resetPassword",
    request_body = ResetPasswordBody,
    responses(
        (status = 200, description = "The password is set; log in with it", body = MessageAnswer),
        (status = 400, description = "`auth.token_invalid`: used, expired or unknown, or another link was asked for; or the password is refused", body = ErrorBody, example = json!({
            "message": "this link is not valid any more; ask for a new one", "code": "auth.token_invalid", "requestId": "9f86d081884c7d65"
        })),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/password/reset")]
pub async fn reset_password(
    req: HttpRequest,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<ResetPasswordBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, None).await?;
    let reset = ResetPassword { token: SecretString::from(body.token), password: SecretString::from(body.password) };
    let user = calls.ask(reset).await?;
    end_tokens(&state, &user).await;
    Ok(HttpResponse::Ok().json(message("The password is changed; log in with it")))
}

/// Sets a new password. Every other token of the user ends.
#[utoipa::path(
    tag = "auth",
    operation_id = "changePassword",
    request_body = ChangePasswordBody,
    responses(
        (status = 200, description = "The password is changed; the token is also a cookie", body = TokenAnswer, headers(("Set-Cookie" = String, description = "`token`, HttpOnly"))),
        (status = 400, description = "`auth.wrong_password`, or the new one is refused", body = ErrorBody, example = json!({
            "message": "the password is wrong", "code": "auth.wrong_password", "requestId": "9f86d081884c7d65"
        })),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[patch("/api/auth/me/password")]
pub async fn change_password(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<ChangePasswordBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    let change = ChangePassword {
        user: user.id,
        current: SecretString::from(body.current_password),
        password: SecretString::from(body.new_password),
    };
    let user = calls.ask(change).await.map_err(ApiError::from);
    let user = user.map_err(|error| error.renamed("password", "newPassword"))?;
    end_tokens(&state, &user).await;
    let (token, _, cookie) = sessions::begin(&req, &state, &calls, &user, Timestamp::now()).await?;
    Ok(HttpResponse::Ok().cookie(cookie).json(TokenAnswer { message: "Password changed".to_owned(), token }))
}

/// Changes the user's names.
#[utoipa::path(
    tag = "auth",
    operation_id = "changeProfile",
    request_body = ProfileBody,
    responses(
        (status = 200, description = "The user", body = UserAnswer),
        (status = 400, description = "Invalid, or `User already exists`: the user name is taken", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[patch("/api/auth/me")]
pub async fn change_profile(
    user: AuthUser,
    calls: Data<Calls>,
    Json(body): Json<ProfileBody>,
) -> Result<HttpResponse, ApiError> {
    let full_name = body.full_name.map(FullName::from);
    let user = calls.ask(ChangeProfile { user: user.id, full_name, username: body.username }).await?;
    Ok(HttpResponse::Ok().json(UserAnswer { user: UserView::from(&user) }))
}

/// Mails a link to confirm the user's e-mail address, or the one that the user is changing to. The link is good for 24
/// hours, until another one is asked for.
#[utoipa::path(
    tag = "auth",
    operation_id = "resendConfirmation",
    responses(
        (status = 202, description = "A mail is on its way, unless the address is confirmed", body = MessageAnswer),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/email/resend")]
pub async fn resend_confirmation(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    calls.ask(SendConfirmation { user: user.id }).await?;
    Ok(HttpResponse::Accepted().json(message("A mail with a link is on its way")))
}

/// Confirms an e-mail address with the token of a mailed link. If it replaces the former address, every other token of
/// the user ends. It can be repeated until the link expires.
#[utoipa::path(
    tag = "auth",
    operation_id = "verifyEmail",
    request_body = MailedTokenBody,
    responses(
        (status = 200, description = "The user", body = UserAnswer),
        (status = 400, description = "`auth.token_invalid`: expired or unknown, or another link was asked for; or another user has taken the address", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(())
)]
#[post("/api/auth/email/verify")]
pub async fn verify_email(
    req: HttpRequest,
    caller: MaybeUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<MailedTokenBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, None).await?;
    let Confirmed { user, replaced } = calls.ask(ConfirmEmail { token: SecretString::from(body.token) }).await?;
    let mut answer = HttpResponse::Ok();
    if replaced {
        end_tokens(&state, &user).await;
        if caller.0.is_some_and(|caller| caller.id == user.id) {
            answer.cookie(sessions::begin(&req, &state, &calls, &user, Timestamp::now()).await?.2);
        }
    }
    Ok(answer.json(UserAnswer { user: UserView::from(&user) }))
}

/// Mails a link to confirm the address that is to replace the user's; the former address is told. Nothing changes
/// before it is confirmed.
#[utoipa::path(
    tag = "auth",
    operation_id = "changeEmail",
    request_body = ChangeEmailBody,
    responses(
        (status = 202, description = "A mail is on its way", body = MessageAnswer),
        (status = 400, description = "Invalid, `auth.wrong_password`, or `User already exists`: another user has the address", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/email/change")]
pub async fn change_email(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<ChangeEmailBody>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    let change =
        ChangeEmail { user: user.id, email: body.email, password: SecretString::from(body.password), code: body.code };
    calls.ask(change).await?;
    Ok(HttpResponse::Accepted().json(message("A mail with a link is on its way to the new address")))
}

/// Changes a saved address.
#[utoipa::path(
    tag = "auth",
    operation_id = "changeAddress",
    params(("addressId" = String, Path, description = "The address")),
    request_body = AddressChangeBody,
    responses(
        (status = 200, description = "All addresses of the user", body = AddressesView),
        (status = 400, description = "A line is missing, or too long", body = ErrorBody),
        (status = 404, description = "No such address", body = ErrorBody),
        (status = 422, description = "`auth.bad_address`: there is no such country, state or postal code", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[patch("/api/auth/users/me/addresses/{addressId}")]
pub async fn change_address(
    user: AuthUser,
    calls: Data<Calls>,
    PathId(address): PathId<AddressId>,
    Json(body): Json<AddressChangeBody>,
) -> Result<HttpResponse, ApiError> {
    let kept = calls.ask(GetAddresses { user: user.id }).await?;
    let found = kept.into_iter().find(|found| found.id == address).ok_or(UserError::NoSuchAddress)?;
    let is_default = body.is_default.unwrap_or(false);
    let postal = body.applied_to(found.postal).settled().map_err(|problems| ApiError::of_address(&problems))?;
    let kept = calls.ask(UpdateAddress { user: user.id, address, postal, is_default }).await?;
    Ok(HttpResponse::Ok().json(AddressesView::from(kept.as_slice())))
}
