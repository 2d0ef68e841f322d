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
        leaving::calls::{DeleteAccount, ExportAccount},
        tokens,
    },
    domain::{identity::PASSWORD_BYTES_MAX, user::Role},
    http::{
        auth::{CLEAR_SITE_DATA, STORAGE_CLEARED},
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
    /// Why the account cannot be deleted now.
    problem: String,
}

fn page(context: PageContext, status: StatusCode, form: Form, problem: String) -> Result<HttpResponse, ApiError> {
    let sells = context.user()?.role != Role::User;
    let view = LeavePage { page: context.page("Delete account"), form, sells, problem };
    context.html(status, &view)
}

///
/// # Errors
/// 401, 503.
pub async fn show(context: PageContext) -> Result<HttpResponse, ApiError> {
    page(context, StatusCode::OK, Form::default(), String::new())
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
        return page(context, StatusCode::BAD_REQUEST, form, String::new());
    }
    let delete = DeleteAccount { user, password: SecretString::from(password) };
    match context.calls.ask(delete).await.map_err(ApiError::from) {
        Ok(left) => {
            end_tokens(context.state(), &left).await;
            context.set_cookie(tokens::removal_cookie(context.state().settings.production));
            context.forget_user();
            context.flash_message("Your account is deleted.");
            let mut answer = context.redirect("/");
            answer.headers_mut().insert(CLEAR_SITE_DATA, STORAGE_CLEARED);
            Ok(answer)
        }
        Err(error) if error.code() == "auth.has_open_orders" => {
            let problem = "An order or a refund of yours is not finished, or something that you sold is not shipped. \
                           Delete the account after that.";
            page(context, StatusCode::CONFLICT, form, problem.to_owned())
        }
        Err(error) if error.code() == "auth.wrong_password" => {
            form.refuse("password", "this is not your password");
            page(context, StatusCode::BAD_REQUEST, form, String::new())
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
