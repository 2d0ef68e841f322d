//! The page that deletes the account, and the download of what is kept about its user.
//!
//! **Invariant:** opening the page changes nothing; only the form with the password does.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;
use secrecy::SecretString;

use super::{
    context::PageContext,
    form::{Form, FormRequest},
    page::Page,
};
use crate::{
    actors::{
        accounts::calls::GetUser,
        leaving::calls::{DeleteAccount, ExportAccount},
    },
    domain::{identity::PASSWORD_BYTES_MAX, user::Role},
    http::{
        auth::{AuthUser, CLEAR_SITE_DATA, STORAGE_CLEARED},
        error::ApiError,
        routes::{credentials::end_tokens, leaving::AS_FILE},
    },
};

#[derive(Template)]
#[template(path = "shop/leave.html")]
struct LeavePage {
    page: Page,
    form: Form,
    sells: bool,
    /// Whether a code of the second factor is needed.
    two_factor: bool,
    /// Why the account cannot be deleted now.
    problem: String,
}

async fn page(context: PageContext, status: StatusCode, form: Form, problem: String) -> Result<HttpResponse, ApiError> {
    let AuthUser { id, role, .. } = context.user()?;
    let user = context.calls.ask(GetUser { user: *id }).await?.ok_or_else(ApiError::unauthorized)?;
    let (sells, two_factor) = (*role != Role::User, user.security.two_factor.is_some());
    let view = LeavePage { page: context.page("Delete account"), form, sells, two_factor, problem };
    context.html(status, &view)
}

///
/// # Errors
/// 401, 503.
pub async fn show(context: PageContext) -> Result<HttpResponse, ApiError> {
    page(context, StatusCode::OK, Form::default(), String::new()).await
}

/// Deletes the account.
///
/// # Errors
/// 401, 429, 503; a wrong password is shown beside its field.
pub async fn leave(
    req: HttpRequest,
    FormRequest { mut context, mut form }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    let password = form.text("password");
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        form.refuse("password", "enter your password");
        return page(context, StatusCode::BAD_REQUEST, form, String::new()).await;
    }
    let code = Some(form.trimmed("code").to_owned()).filter(|code| !code.is_empty());
    let delete = DeleteAccount { user, password: SecretString::from(password), code };
    match context.calls.ask(delete).await.map_err(ApiError::from) {
        Ok(left) => {
            end_tokens(context.state(), &left).await;
            context.forget_user();
            context.flash_message("Your account is deleted.");
            let mut answer = context.redirect("/");
            answer.headers_mut().insert(CLEAR_SITE_DATA, STORAGE_CLEARED);
            Ok(answer)
        }
        Err(error) if error.code() == "auth.has_open_orders" => {
            let problem = "An order or a refund of yours is not finished, or something that you sold is not shipped. \
                           Delete the account after that.";
            page(context, StatusCode::CONFLICT, form, problem.to_owned()).await
        }
        Err(error) if error.code() == "auth.wrong_password" => {
            form.refuse("password", "this is not your password");
            page(context, StatusCode::BAD_REQUEST, form, String::new()).await
        }
        Err(error) if error.code() == "auth.code_invalid" => {
            form.refuse("code", "enter the code that your app shows now");
            page(context, StatusCode::BAD_REQUEST, form, String::new()).await
        }
        Err(error) => Err(error),
    }
}

/// Everything that is kept about the user, as a file.
///
/// # Errors
/// 401, 429, 503.
pub async fn export(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let user = context.user()?.id;
    context.state().check_auth_rate(&req, Some(&user.to_hex())).await?;
    let export = context.calls.ask(ExportAccount { user }).await?;
    Ok(HttpResponse::Ok().insert_header(AS_FILE).json(export))
}
