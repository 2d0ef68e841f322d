//! Dead letters: messages that no consumer could handle, and their replay.

use actix_web::HttpResponse;
use askama::Template;

use crate::{
    actors::admin::calls::{DeadMessage, GetDeadMessages, ReplayDeadMessage},
    http::{
        error::ApiError,
        pages::{context::PageContext, form::FormRequest, format, page::Page},
    },
    runtime::calls::CallError,
};

struct Row {
    id: String,
    name: String,
    queue: String,
    at: Option<format::Time>,
    attempts: u64,
    reason: String,
    place: &'static str,
}

#[derive(Template)]
#[template(path = "admin/dead.html")]
struct DeadPage {
    page: Page,
    rows: Vec<Row>,
    trouble: String,
}

fn row(message: DeadMessage) -> Row {
    Row {
        id: message.id,
        name: message.name,
        queue: message.queue,
        at: message.at.map(format::time),
        attempts: message.attempts,
        reason: message.reason,
        place: if message.at_broker { "broker" } else { "outbox" },
    }
}

///
/// # Errors
/// 401, 403, 503.
pub async fn list(context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (rows, trouble) = match context.calls.ask(GetDeadMessages).await {
        Ok(dead) => (dead.into_iter().map(row).collect(), String::new()),
        Err(CallError::Refused(away)) => (vec![], away.to_string()),
        Err(error) => return Err(error.map(|away| ApiError::Internal(away.0)).into()),
    };
    let view = DeadPage { page: context.page("Dead letters"), rows, trouble };
    context.ok(&view)
}

/// Replays a message.
///
/// # Errors
/// 401, 403, 503.
pub async fn replay(FormRequest { mut context, form }: FormRequest) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let at_broker = form.text("place") == "broker";
    match context.calls.ask(ReplayDeadMessage { id: form.text("id").to_owned(), at_broker }).await {
        Ok(0) => context.flash_error("This message no longer exists."),
        Ok(_) => context.flash_message("The message is being retried."),
        Err(CallError::Refused(away)) => context.flash_error(format!("That did not work: {away}.")),
        Err(error) => return Err(error.map(|away| ApiError::Internal(away.0)).into()),
    }
    Ok(context.redirect("/admin/dead"))
}
