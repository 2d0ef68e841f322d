//! The end of announcements by mail, by a link of a mail. Programs that read mail post to it on their own (RFC 8058), so
//! that neither a session nor the token of a form is needed: the link has a signature.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use super::{context::PageContext, cookies, page::Page};
use crate::{
    actors::accounts::calls::SetAnnouncements,
    domain::ids::UserId,
    http::{error::ApiError, query},
};

#[derive(Template)]
#[template(path = "shop/unsubscribe.html")]
struct UnsubscribePage {
    page: Page,
    action: String,
    wanted: Option<bool>,
}

/// The user whom the link is for.
fn user_of(context: &PageContext, token: &str) -> Result<UserId, ApiError> {
    let user = token.split_once('.').and_then(|(user, _)| user.parse::<UserId>().ok());
    let is_right = |user: &UserId| cookies::same(token, &context.state().tokens.unsubscribe_token(*user));
    user.filter(is_right).ok_or(ApiError::NotFound("page"))
}

fn answer(context: PageContext, token: &str, wanted: Option<bool>) -> Result<HttpResponse, ApiError> {
    let page = UnsubscribePage { page: context.page("Announcements"), action: format!("/unsubscribe/{token}"), wanted };
    context.ok(&page)
}

/// Asks, because programs open the links of a mail to look at them.
///
/// # Errors
/// 404 for a link that is not ours.
pub async fn show(context: PageContext, token: Path<String>) -> Result<HttpResponse, ApiError> {
    user_of(&context, &token)?;
    answer(context, &token, None)
}

/// Ends the announcements, or with `again=yes` begins them anew.
///
/// # Errors
/// 404 for a link that is not ours; 503.
pub async fn set(req: HttpRequest, context: PageContext, token: Path<String>) -> Result<HttpResponse, ApiError> {
    let user = user_of(&context, &token)?;
    let wanted = query::value(req.query_string(), "again").as_deref() == Some("yes");
    context.calls.ask(SetAnnouncements { user, wanted }).await?;
    answer(context, &token, Some(wanted))
}
