//! Messages that no consumer could handle, and another try for them.

use crate::runtime::calls::CallError;
use actix_web::HttpResponse;
use askama::Template;

use crate::{
    actors::admin::calls::{DeadMessage, GetDeadMessages, ReplayDeadMessage},
    http::{
        error::ApiError,
        pages::{form::Posted, format, page::Page, visit::Visit},
    },
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

/// The list.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(visit: Visit) -> Result<HttpResponse, ApiError> {
    visit.admin()?;
    let (rows, trouble) = match visit.calls.ask(GetDeadMessages).await {
        Ok(dead) => (dead.into_iter().map(row).collect(), String::new()),
        Err(CallError::Refused(away)) => (vec![], away.to_string()),
        Err(error) => return Err(error.map(|away| ApiError::Internal(away.0)).into()),
    };
    let view = DeadPage { page: visit.page("Dead letters"), rows, trouble };
    visit.ok(&view)
}

/// Lets one be tried again.
///
/// # Errors
/// 401, 403, 503.
pub async fn replay(Posted { mut visit, form }: Posted) -> Result<HttpResponse, ApiError> {
    visit.admin()?;
    let at_broker = form.text("place") == "broker";
    match visit.calls.ask(ReplayDeadMessage { id: form.text("id").to_owned(), at_broker }).await {
        Ok(0) => visit.warn("There is no such message any more."),
        Ok(_) => visit.say("The message is tried again."),
        Err(CallError::Refused(away)) => visit.warn(format!("That did not work: {away}.")),
        Err(error) => return Err(error.map(|away| ApiError::Internal(away.0)).into()),
    }
    Ok(visit.go("/admin/dead"))
}
