//! The embedded mailbox.

use actix_web::{HttpRequest, HttpResponse, get, http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE}, web::Data};

use super::Services;
use crate::http::{error::ApiError, pages::mailbox::mailbox_page};

/// How many mails are shown.
const SHOWN: u32 = 500;

/// The mails that the shop has sent, newest first: a page for browsers, JSON for programs.
#[utoipa::path(
    tag = "operations",
    responses(
        (status = 200, description = "Mails: HTML, or with `Accept: application/json` an array of `{to,subject,text,html,at}`", body = [crate::store::mailbox::Mail]),
        (status = 404, description = "The mailbox is not shown", body = crate::http::error::ErrorBody),
    ),
    security(())
)]
#[get("/dev/mailbox")]
pub async fn get(req: HttpRequest, services: Data<Services>) -> Result<HttpResponse, ApiError> {
    let mailbox = services.mailbox.as_ref().ok_or(ApiError::NotFound("page"))?;
    let mails = mailbox.list(SHOWN).await?;
    let accept = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    if accept.contains("application/json") {
        return Ok(answer.json(mails));
    }
    let page = mailbox_page(&mails).map_err(|error| ApiError::Internal(error.to_string()))?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:";
    answer.insert_header(("content-security-policy", policy)).insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
    Ok(answer.body(page))
}
