//! The embedded mailbox.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    web::Data,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use crate::{
    domain::Timestamp,
    http::{error::ApiError, pages::mailbox::mailbox_page},
    store::mailbox::Mail,
};

/// A mail, as programs see it.
#[derive(Debug, ToSchema, Serialize)]
pub struct MailView {
    /// The recipient.
    #[schema(example = "asha@example.com")]
    to: String,
    /// Subject.
    #[schema(example = "Welcome to microBazaar")]
    subject: String,
    /// Plain text.
    text: String,
    /// HTML.
    html: String,
    /// When the mail was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    at: Timestamp,
}

impl From<Mail> for MailView {
    fn from(Mail { to, subject, text, html, at, .. }: Mail) -> Self {
        Self { to, subject, text, html, at }
    }
}

/// How many mails are shown.
const SHOWN: u32 = 500;

/// The mails of the shop, newest first: a page for browsers, JSON for programs.
#[utoipa::path(
    tag = "operations",
    operation_id = "listMails",
    responses(
        (status = 200, description = "The last 500 mails", content(([MailView] = "application/json"), (String = "text/html"))),
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
        return Ok(answer.json(mails.into_iter().map(MailView::from).collect::<Vec<_>>()));
    }
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src 'self' data:; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    answer.insert_header(("content-security-policy", policy)).insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
    Ok(answer.body(mailbox_page(&mails)))
}
