//! Exporting what is kept about a user, and deleting their account.

use actix_web::{
    HttpRequest, HttpResponse, delete, get,
    http::header::{CONTENT_DISPOSITION, HeaderName},
    post,
    web::Data,
};
use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{credentials::end_tokens, two_factor::CODE_MAX};
use crate::{
    actors::{
        leaving::calls::{DeleteAccount, ExportAccount},
        tokens,
    },
    domain::identity::PASSWORD_BYTES_MAX,
    http::{
        auth::AuthUser,
        error::{ApiError, ErrorBody},
        extract::Json,
        state::State,
    },
    runtime::calls::Calls,
    views::user::MessageAnswer,
};

/// Lets a browser save the export as a file.
pub const AS_FILE: (HeaderName, &str) = (CONTENT_DISPOSITION, "attachment; filename=\"my-data.json\"");

#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
pub struct DeleteAccountBody {
    /// The user's password.
    #[garde(length(max = PASSWORD_BYTES_MAX))]
    #[schema(example = "my current password")]
    password: String,
    /// Of the second factor, where it is on.
    #[serde(default)]
    #[garde(inner(length(max = CODE_MAX)))]
    #[schema(example = "287082")]
    code: Option<String>,
}

/// Everything that is kept about the user: the account, orders, payments, cart, wishlist, conversations, mails, and what
/// they sell.
#[utoipa::path(
    tag = "auth",
    operation_id = "exportAccount",
    responses(
        (status = 200, description = "One field for each kind of data", body = BTreeMap<String, Value>, example = json!({
            "exportedAt": "2026-01-02T03:04:05Z", "user": {"email": "asha@example.com"}, "orders": [], "mails": []
        })),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[get("/api/auth/me/export")]
pub async fn export(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(&req, Some(&user.id.to_hex())).await?;
    let export: Value = calls.ask(ExportAccount { user: user.id }).await?;
    Ok(HttpResponse::Ok().insert_header(AS_FILE).json(export))
}

async fn leave(
    req: &HttpRequest,
    user: AuthUser,
    state: &State,
    calls: &Calls,
    body: DeleteAccountBody,
) -> Result<HttpResponse, ApiError> {
    state.check_auth_rate(req, Some(&user.id.to_hex())).await?;
    let delete = DeleteAccount { user: user.id, password: SecretString::from(body.password), code: body.code };
    let left = calls.ask(delete).await?;
    end_tokens(state, &left).await;
    let message = "Your account is deleted; what else names you is being removed".to_owned();
    let cookie = tokens::removal_cookie(state.settings.production);
    Ok(HttpResponse::Accepted().cookie(cookie).json(MessageAnswer { message }))
}

/// Deletes the account. The user's name, addresses and conversations are removed everywhere within moments, except from
/// backups; orders and payments stay, without the person. The e-mail address can be registered again.
#[utoipa::path(
    tag = "auth",
    operation_id = "deleteAccount",
    request_body = DeleteAccountBody,
    responses(
        (status = 202, description = "The account is deleted, and every token of the user is ended", body = MessageAnswer),
        (status = 400, description = "`auth.wrong_password` or `auth.code_invalid`", body = ErrorBody),
        (status = 409, description = "`auth.has_open_orders`: an order or a refund is not finished, or something sold is not shipped", body = ErrorBody, example = json!({
            "message": "an order or a refund of yours is not finished; delete the account after that", "code": "auth.has_open_orders",
            "requestId": "9f86d081884c7d65"
        })),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[delete("/api/auth/me")]
pub async fn delete_account(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<DeleteAccountBody>,
) -> Result<HttpResponse, ApiError> {
    leave(&req, user, &state, &calls, body).await
}

/// As `DELETE /api/auth/me`, for clients that send no body with that.
#[utoipa::path(
    tag = "auth",
    operation_id = "deleteAccountByPost",
    request_body = DeleteAccountBody,
    responses(
        (status = 202, description = "The account is deleted, and every token of the user is ended", body = MessageAnswer),
        (status = 400, description = "`auth.wrong_password` or `auth.code_invalid`", body = ErrorBody),
        (status = 409, description = "`auth.has_open_orders`: an order or a refund is not finished, or something sold is not shipped", body = ErrorBody),
        (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
    ),
    security(("bearer" = ["user", "seller", "admin"]), ("cookie" = ["user", "seller", "admin"]))
)]
#[post("/api/auth/me/delete")]
pub async fn delete_account_by_post(
    req: HttpRequest,
    user: AuthUser,
    state: Data<State>,
    calls: Data<Calls>,
    Json(body): Json<DeleteAccountBody>,
) -> Result<HttpResponse, ApiError> {
    leave(&req, user, &state, &calls, body).await
}
